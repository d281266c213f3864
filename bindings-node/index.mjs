import headwater from './index.js'

export default headwater
export const {
  FirstTouch,
  Frame,
  HeadwaterError,
  IdentityGraph,
  Journeys,
  LastNonDirect,
  LastTouch,
  Linear,
  Markov,
  People,
  PositionBased,
  Shapley,
  TimeDecay,
  attribute,
  clv,
  evaluate,
  load,
  normalizeEmail,
  normalizePhone,
  segment,
  simulate,
  stitch,
} = headwater
