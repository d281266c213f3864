'use strict'
// The attribution models that are fitted, and how files give them back.
const { learned } = require('./learned.js')
const { json } = require('./options.js')

function models({ ContractualModel, DynamicModel, FittedModel, PurchaseModel, checkModel, readModel, scoreRule }, customers) {
  /** A model with its parameters, and once `fit` is done its native half. */
  class Fittable extends FittedModel {
    #spec

    constructor(model, options) {
      super()
      this.#spec = json({ ...options, model })
      checkModel(JSON.parse(this.#spec))
    }

    /** The model as JSON, for `attribute`. */
    spec() {
      return this.#spec
    }

    fit(journeys, options) {
      return this.fitSpec(JSON.parse(this.#spec), journeys, options)
    }

    /** What the model file says of the model. */
    body() {
      return JSON.parse(Buffer.from(this.toBytes()).toString()).model
    }
  }

  class Markov extends Fittable {
    constructor(options) {
      super('markov', options)
    }

    get channels() {
      return this.body().channels
    }

    get removalEffects() {
      return this.body().removal_effects
    }

    get removalEffectsValue() {
      return this.body().removal_effects_value
    }

    get conversionProbability() {
      return this.body().conversion_probability
    }

    get valuePerJourney() {
      return this.body().value_per_journey
    }

    transitions() {
      return this.report('transitions')
    }

    states() {
      return this.report('states')
    }

    jointEffects(options) {
      return this.report('joint_effects', options)
    }
  }

  class Shapley extends Fittable {
    #fitted = false

    constructor(options) {
      super('shapley', options)
    }

    async fit(journeys, options) {
      await super.fit(journeys, options)
      this.#fitted = true
      return this
    }

    adopt(other) {
      super.adopt(other)
      this.#fitted = true
    }

    /** The worth that needs no fitting scores as a rule does. */
    score(path, times, end) {
      const { worth = 'conversions' } = JSON.parse(this.spec())
      if (!this.#fitted && worth === 'conversions') return scoreRule(JSON.parse(this.spec()), path, times)
      return super.score(path, times, end)
    }

    get channels() {
      return this.body().channels
    }

    get shapleyValues() {
      return this.body().values
    }

    values() {
      return this.report('values')
    }

    positions() {
      return this.report('positions')
    }

    dividends(options) {
      return this.report('dividends', options)
    }

    synergies() {
      return this.report('synergies')
    }
  }

  const classes = { markov: Markov, shapley: Shapley, ...learned(Fittable) }

  /** `load`: a model of attribution or of customers comes as its class, holding the native half that was read. */
  async function load(file, options) {
    const found = await readModel(file, options)
    if ([PurchaseModel, ContractualModel, DynamicModel].some((Native) => found instanceof Native)) {
      const out = new customers[found.kind.replace('clv.', '')]()
      out.adopt(found)
      return out
    }
    if (!(found instanceof FittedModel)) return found
    const { model, ...parameters } = JSON.parse(found.fittedSpec())
    const out = new classes[model](parameters)
    out.adopt(found)
    return out
  }

  /** The class of a kind of model, by the name that it has in options. */
  const modelClass = (name) => classes[name]

  const named = Object.fromEntries(Object.values(classes).map((found) => [found.name, found]))
  return { ...named, load, modelClass }
}

module.exports = { models }
