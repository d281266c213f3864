'use strict'
const native = require('./face/native.js')
const errors = require('./face/error.js')
const { buyers } = require('./face/buyers.js')
const { contractual, reports } = require('./face/contractual.js')
const { dynamic } = require('./face/dynamic.js')
const { dress } = require('./face/frame.js')
const { frame } = require('./face/intake.js')
const { follower } = require('./face/follow.js')
const { chooseOrder, dress: dressJourneys, drillDown } = require('./face/journeys.js')
const { segmented, validate } = require('./face/learned.js')
const { models } = require('./face/models.js')
const { json, options } = require('./face/options.js')
const { assign } = require('./face/people.js')
const { hierarchies, posteriors } = require('./face/posterior.js')
const { rules } = require('./face/rules.js')
const { CLOCK, PURCHASES, SPEND, scalars } = require('./face/scalars.js')
const { simulate } = require('./face/simulate.js')
const trust = require('./face/trust.js')

const { registerFace, cancelJob, jobProgress, scoreRule, checkModel, readModel, drillDownCredits, JourneyParts, PurchaseModel, ContractualModel, DynamicModel, clvHierarchy, clvPosterior, clvReport, ...face } = native
const { Frame, Journeys, People } = native
registerFace({
  error: errors.error,
  follow: follower(cancelJob, jobProgress),
  frame: (value) => frame(value, Frame),
  json,
  options,
})
dress(Frame)
Object.defineProperty(People.prototype, 'assign', { value: assign(Frame), configurable: true, writable: true })
dressJourneys(Journeys)
scalars(PurchaseModel, PURCHASES)
scalars(native.clv.GammaGamma, SPEND)
scalars(native.clv.SeasonalClock, CLOCK)

const customers = { ...buyers(PurchaseModel), ...contractual(ContractualModel), ...dynamic(DynamicModel) }
const { modelClass, ...fittable } = models(native, customers)

module.exports = {
  ...face,
  ...rules(scoreRule),
  ...fittable,
  clv: { ...native.clv, ...customers, ...reports(clvReport), ...posteriors(clvPosterior), ...hierarchies(clvHierarchy) },
  drillDown: drillDown(drillDownCredits),
  chooseOrder,
  ...trust,
  segmented,
  validate,
  HeadwaterError: errors.HeadwaterError,
  simulate: simulate(native.simulate),
}
// For the tests: not part of the face.
Object.defineProperty(module.exports, 'modelClass', { value: modelClass })
