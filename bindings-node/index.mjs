import headwater from './index.js'

export default headwater
export const {
  FirstTouch,
  FittedModel,
  Frame,
  HeadwaterError,
  IdentityGraph,
  Journeys,
  LastNonDirect,
  LastTouch,
  Linear,
  Markov,
  PathCounts,
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
