import headwater from './index.js'

export default headwater
export const { Frame, HeadwaterError, simulate } = headwater
