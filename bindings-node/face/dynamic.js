'use strict'
// Covariates that change while customers live: a class for each kind of model.
const { optionError } = require('./error.js')

/** Their methods, and whether these take orders. */
const KINDS = {
  DynamicParetoNBD: { predict: true, newCustomers: false, check: true, tracking: true },
  DynamicGammaGamma: { predict: true },
}

const REPORTS = { predict: 'predict', newCustomers: 'new_customers', check: 'check', tracking: 'tracking' }

const byName = (model, column) =>
  Object.fromEntries(model.table().toRows().map((row) => [row.parameter, row[column]]))

/** What is given of a model as JSON; numbers must be numbers. */
const given = (params, { means, references, rate, period } = {}) => {
  for (const [option, numbers] of Object.entries({ params, means, rate })) {
    if (numbers === undefined || numbers === null) continue
    for (const [name, value] of Object.entries(numbers)) {
      if (!Number.isFinite(value)) throw optionError(option, `\`${name}\` must be a finite number`)
    }
  }
  return JSON.stringify({ params: params ?? {}, means, references, rate: rate ?? undefined, period })
}

/** The classes by their names; each is made of the native `DynamicModel`. */
function dynamic(DynamicModel) {
  const classes = {}
  for (const [name, methods] of Object.entries(KINDS)) {
    const Class = {
      [name]: class extends DynamicModel {
        constructor(options) {
          super(`clv.${name}`, options)
        }

        static fromParameters(params, options) {
          const model = new this()
          model.takeParameters(given(params, options))
          return model
        }

        get means() {
          return JSON.parse(this.given()).means
        }

        get references() {
          return JSON.parse(this.given()).references
        }

        get params() {
          return byName(this, 'estimate')
        }

        get standardErrors() {
          return byName(this, 'standard_error')
        }

        get logLikelihood() {
          return this.fitTable().column('log_likelihood')[0]
        }

        get verdict() {
          return this.fitTable().column('verdict')[0]
        }

        get effectsVerdict() {
          return this.fitTable().column('effects_verdict')[0]
        }

        dropped() {
          return { orders: this.droppedOf(false), covariates: this.droppedOf(true) }
        }
      },
    }[name]
    for (const [method, orders] of Object.entries(methods)) {
      const value = orders
        ? function (of, along, options) {
          return this.report(REPORTS[method], of, along, options)
        }
        : function (along, options) {
          return this.report(REPORTS[method], undefined, along, options)
        }
      Object.defineProperty(Class.prototype, method, { value, configurable: true, writable: true })
    }
    classes[name] = Class
  }
  Object.defineProperty(classes.DynamicGammaGamma.prototype, 'rate', {
    get() {
      return JSON.parse(this.given()).rate
    },
    configurable: true,
  })
  const posterior = function () {
    throw optionError('model', 'is one of spend, of which no draws are made: take DynamicParetoNBD')
  }
  Object.defineProperty(classes.DynamicGammaGamma.prototype, 'posterior', { value: posterior, configurable: true, writable: true })
  // A model of spend knows covariates or does not.
  const value = function lifetimeValue(spend, orders, along, options) {
    return spend instanceof DynamicModel
      ? this.valueAlong(spend, orders, along, options)
      : this.valueBy(spend, orders, along, options)
  }
  Object.defineProperty(classes.DynamicParetoNBD.prototype, 'lifetimeValue', { value, configurable: true, writable: true })
  return classes
}

module.exports = { dynamic }
