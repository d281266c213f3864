'use strict'
// The attribution models that are fitted, and how files give them back.
const { learned } = require('./learned.js')
const { json } = require('./options.js')

function models({ FittedModel, checkModel, readModel }) {
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
  }

  const classes = { markov: Markov, ...learned(Fittable) }

  /** `load`: a model of attribution comes as its class, holding the native half that was read. */
  async function load(file, options) {
    const found = await readModel(file, options)
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
