'use strict'
// The models of purchases and dropout: a class for each kind.
const { whole } = require('./scalars.js')

const NUMBERS = ['r', 'alpha', 'a', 'b']

/** Their parameters, and whether they have ticks between purchases. */
const KINDS = {
  BetaGeo: [NUMBERS],
  ModifiedBetaGeo: [NUMBERS],
  BetaGeoCNBD: [NUMBERS, true],
  ModifiedBetaGeoCNBD: [NUMBERS, true],
  ParetoNBD: [['r', 'alpha', 's', 'beta']],
  GGompertzNBD: [['r', 'alpha', 'b', 's', 'beta']],
  ParetoGGG: [['t', 'gamma', 'r', 'alpha', 's', 'beta']],
  AbeParetoNBD: [['lambda', 'sigma_lambda', 'mu', 'sigma_mu', 'odds']],
  BetaGeoBetaBinomial: [['alpha', 'beta', 'gamma', 'delta']],
  NBD: [['r', 'alpha']],
}

/** The classes by their names; each is made of the native `PurchaseModel`. */
function buyers(PurchaseModel) {
  const classes = {}
  for (const [name, [parameters, regular]] of Object.entries(KINDS)) {
    classes[name] = {
      [name]: class extends PurchaseModel {
        constructor(options) {
          super(`clv.${name}`, regular ? { k: 2, ...options } : options)
        }

        static fromParameters(params, period) {
          const k = regular ? whole('k', params?.k ?? 2) : 1
          const model = new this(regular ? { k } : undefined)
          const number = (key) => (typeof params?.[key] === 'number' ? params[key] : NaN)
          model.takeParameters(parameters.map(number), k, period)
          return model
        }

        at(covariates) {
          const model = new this.constructor()
          const row = Object.entries(covariates).map(([name, value]) => [name, [value]])
          model.takeAt(this, Object.fromEntries(row))
          return model
        }

        predict(rfm, options) {
          return this.report('predict', rfm, options)
        }

        check(rfm, options) {
          return this.report('check', rfm, options)
        }

        frequencies(rfm, options) {
          return this.report('frequencies', rfm, options)
        }

        tracking(orders, options) {
          return this.trackingOf(orders, undefined, options)
        }

        newCustomer(options) {
          return this.report('new_customer', undefined, options)
        }
      },
    }[name]
  }
  classes.AbeParetoNBD.prototype.correlation = function correlation() {
    return this.report('correlation', undefined)
  }
  return classes
}

module.exports = { buyers }
