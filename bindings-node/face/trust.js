'use strict'
// How far to trust credits, choose between models and use the numbers: reports of attribution by name.
const { ask, weighed } = require('./callback.js')

/** Models, one or several, as an array. */
const list = (models) => (Array.isArray(models) ? models : models === undefined ? [] : [models])

/** A report that takes models, perhaps with other journeys or a frame under a name of its options. */
const report = (name, { other, frame, tests, option } = {}) => (journeys, models, given) => {
  const { [other]: others, [frame]: frames, [tests]: liftTests, ...rest } = given ?? {}
  return ask(journeys, name, { ...rest, ...option?.(given ?? {}), models: list(models) }, others, frames, liftTests)
}

const plain = (name) => (journeys, options) => journeys.attribution(name, { ...options })

/** `attribute(journeys, models, options)`. */
function attribute(journeys, models, given) {
  const { lifetime, lifetimeCustomer, lifetimeValue, lifetimeMode, lifetimeMissing, ...rest } = given ?? {}
  if (lifetime === undefined) return ask(journeys, 'attribute', { ...rest, models: list(models) })
  const { signal, onProgress, seed, threads, ...options } = rest
  const worth = { lifetimeCustomer, lifetimeValue, lifetimeMode, lifetimeMissing }
  const call = { signal, onProgress, seed, threads, ...worth, attribute: { ...options, models: list(models) } }
  return ask(journeys, 'attribute_lifetime', call, undefined, lifetime)
}

/** `bootstrap(journeys, model, statistic, options)`. */
const bootstrap = (journeys, model, statistic, options) =>
  ask(journeys, 'bootstrap', { ...options, model, statistic })

/** `selfControlled: true` stands for its defaults. */
const controlled = ({ selfControlled }) => ({
  selfControlled: selfControlled === true ? {} : selfControlled || undefined,
})

/** How lift tests calibrate the models of a table. */
const calibration = ({ calibration }) =>
  calibration === undefined ? {} : { calibration: { ...calibration, ...controlled(calibration ?? {}) } }

/** The column of spend is `amount`, since `spend` is the frame. */
const spendColumn = ({ amount }) => ({ amount: undefined, spend: amount })

/** `drift(old, new, models, options)`. */
function drift(old, now, models, given) {
  const { liftTests, ...options } = given ?? {}
  return ask(now, 'drift', { ...options, ...calibration(options), models: list(models) }, old, undefined, liftTests)
}

/** `attributeLevels(journeys, models, options)`: functions are asked of the journeys of both levels. */
async function attributeLevels(journeys, models, given) {
  const { separator, channels, ...options } = given ?? {}
  const call = { ...options, levels: { separator, channels }, models: list(models) }
  const asked = options.ownChannels !== false && call.models.some((model) => typeof model === 'function')
  const { signal, threads } = options
  const above = asked ? await journeys.rollUp({ separator, channels, signal, threads }) : undefined
  return ask(journeys, 'attribute_levels', call, above)
}

/** Weights of each touch, or a function from a path to those of its touches. */
async function creditsByWeights(journeys, weights, options) {
  const found = typeof weights === 'function' ? weigh(await journeys.touchCredits('linear', options), weights) : weights
  return journeys.attribution('credits_by_weights', { ...options }, undefined, { weight: Float64Array.from(found) })
}

function weigh(touches, weights) {
  const known = new Map()
  const out = []
  let path = []
  const rows = touches.toRows()
  rows.forEach(({ channel }, row) => {
    path.push(channel)
    if (row + 1 < rows.length && Number(rows[row + 1].position) !== 1) return
    const key = JSON.stringify(path)
    if (!known.has(key)) {
      known.set(key, weighed('weights', weights([...path]), path))
    }
    out.push(...known.get(key))
    path = []
  })
  return out
}

module.exports = {
  attribute,
  attributeLevels,
  bootstrap,
  calibrate: report('calibrate', { frame: 'liftTests', option: controlled }),
  chooseHalfLife: plain('choose_half_life'),
  chooseLookback: plain('choose_lookback'),
  compare: report('compare', {
    frame: 'truth',
    tests: 'liftTests',
    option: (given) => ({ trueCredit: undefined, truth: given.trueCredit, ...calibration(given) }),
  }),
  creditsByWeights,
  difference: report('difference', {
    other: 'other',
    frame: 'spend',
    tests: 'liftTests',
    option: (given) => ({ ...spendColumn(given), ...calibration(given) }),
  }),
  drift,
  money: report('money', {
    frame: 'spend',
    tests: 'liftTests',
    option: (given) => ({ ...spendColumn(given), ...calibration(given) }),
  }),
  selfControlled: plain('self_controlled'),
}
