import * as headwater from './index.js'
export * from './index.js'
export default headwater
