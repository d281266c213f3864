'use strict'
// The attribution models that learn from journeys with and without a conversion.
const { optionError } = require('./error.js')

/** Models by the name that they have in options: their class, and the reports that it has beside `diagnostics`. */
const MODELS = {
  path_counterfactual: ['PathCounterfactual', ['rates', 'penalties']],
  shao_li: ['ShaoLi', ['contributions', 'penalties']],
  logistic: ['Logistic', ['coefficients', 'penalties', 'incremental']],
  time_to_event: ['TimeToEvent', ['effects', 'penalties', 'incremental']],
  additive_hazard: ['AdditiveHazard', ['effects', 'trace', 'penalties', 'incremental']],
}

/** The classes by the model's name. */
function learned(Fittable) {
  const classes = {}
  for (const [model, [name, reports]] of Object.entries(MODELS)) {
    const Class = {
      [name]: class extends Fittable {
        constructor(options) {
          super(model, options)
        }

        get channels() {
          return this.body().channels
        }
      },
    }[name]
    for (const report of ['diagnostics', ...reports]) {
      const value = function () {
        return this.report(report)
      }
      Object.defineProperty(Class.prototype, report, { value, configurable: true, writable: true })
    }
    classes[model] = Class
  }
  return classes
}

/** A rule of one's own is no model that learns. */
function noFunction(option, models, why) {
  const rule = models.find((model) => typeof model === 'function')
  if (rule) throw optionError(option, `the function \`${rule.name || 'function'}\` is a rule and ${why}`)
}

/** `validate(journeys, models, options)`. */
function validate(journeys, models, options) {
  const list = Array.isArray(models) ? models : [models]
  noFunction('models', list, 'predicts nothing: leave it out')
  return journeys.attribution('validate', { ...options, models: list })
}

/** `segmented(journeys, model, segments, options)`. */
function segmented(journeys, model, segments, options) {
  noFunction('model', [model], 'learns nothing, so segments do not change it')
  return journeys.attribution('segmented', { ...options, model }, undefined, segments)
}

module.exports = { learned, segmented, validate }
