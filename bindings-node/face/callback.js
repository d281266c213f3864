'use strict'
// Rules of one's own, as functions. The core's threads cannot call them, so it tells of the touches of all
// distinct journeys first, and takes their weights as columns.
const { optionError } = require('./error.js')

/** How long functions are called, in milliseconds, before other work of the process has its turn. */
const SLICE = 20

/** What a function gave for the touches of a path, checked. */
function weighed(option, given, path) {
  if (typeof given?.then === 'function') {
    given.then(undefined, () => {})
    throw optionError(option, 'must be a function that is not async: it gave a Promise, not the weights of a path')
  }
  const mine = Array.from(given ?? [], Number)
  if (mine.length !== path.length) {
    throw optionError(option, `gave ${mine.length} weights for the ${path.length} touches of ${JSON.stringify(path)}`)
  }
  const bad = mine.findIndex((weight) => !(weight >= 0 && weight < Infinity))
  if (bad >= 0) {
    throw optionError(option, `gave ${mine[bad]} to touch ${bad + 1} of ${JSON.stringify(path)}: a weight is 0 or more`)
  }
  return mine
}

/** Options whose functions are models by name; the functions go into `rules`. */
function named(value, rules) {
  if (Array.isArray(value)) return value.map((item) => named(item, rules))
  if (typeof value !== 'function') return value
  if (typeof value.prototype?.score === 'function') {
    throw optionError('models', `\`${value.name}\` is a class: give new ${value.name}()`)
  }
  const own = value.name || 'function'
  let name = own
  for (let again = 2; rules.has(name) && rules.get(name) !== value; again++) name = `${own} ${again}`
  rules.set(name, value)
  return { model: 'callback', name }
}

/** Distinct journeys as arrays of touches. */
function* distinct(touches) {
  const columns = touches.columns()
  const { channel, position, touches: counts, age, campaign = [], kind = [] } = columns
  for (let row = 0; row < channel.length; ) {
    const journey = []
    for (const end = row + Number(counts[row]); row < end; row++) {
      journey.push({
        channel: channel[row],
        position: Number(position[row]),
        touches: Number(counts[row]),
        age: Number.isNaN(age[row]) ? null : age[row],
        campaign: campaign[row] ?? null,
        kind: kind[row] ?? null,
      })
    }
    yield journey
  }
}

/** What the rules say of each touch; none where the call was cancelled meanwhile. */
async function weights(rules, journeys, other, { signal, threads, onProgress }) {
  const touches = await journeys.attribution('callback_touches', { signal, threads, onProgress }, other)
  const out = {}
  let since = performance.now()
  for (const [name, rule] of rules) {
    const said = []
    for (const journey of distinct(touches)) {
      const path = journey.map((touch) => touch.channel)
      for (const weight of weighed(name, rule(journey), path)) said.push(weight)
      if (performance.now() - since < SLICE) continue
      await new Promise(setImmediate)
      if (signal?.aborted) return undefined
      since = performance.now()
    }
    out[name] = Float64Array.from(said)
  }
  return out
}

/** A report of attribution by name, whose models may be functions. */
function ask(journeys, name, options, other, frame, liftTests) {
  const rules = new Map()
  const { models, model, attribute } = options
  const plain = { ...options }
  if (models !== undefined) plain.models = named(models, rules)
  if (model !== undefined) plain.model = named(model, rules)
  if (attribute !== undefined) plain.attribute = { ...attribute, models: named(attribute.models, rules) }
  if (rules.size === 0) return journeys.attribution(name, plain, other, frame, undefined, liftTests)
  const last = (said) => journeys.attribution(name, plain, other, frame, said, liftTests)
  return weights(rules, journeys, other, options).then(last)
}

module.exports = { ask, weighed }
