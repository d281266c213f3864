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

/** The classes by their names; each is made of the native `DynamicModel`. */
function dynamic(DynamicModel) {
  const classes = {}
  for (const [name, methods] of Object.entries(KINDS)) {
    const Class = {
      [name]: class extends DynamicModel {
        constructor(options) {
          super(`clv.${name}`, options)
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
