// The types as an ES module sees them.
import hw, { Frame, HeadwaterError, simulate } from 'headwater'

const market: simulate.Market = await hw.simulate.market({ people: 10 })
const frame: Frame = market.events
const code: string = new HeadwaterError().code
export { code, frame }
