'use strict'
// Models of customers that are asked by reports: a class for each kind of model, and the reports that need none.

const SURVIVAL = { summary: 'summary', predict: 'predict', earlyWarning: 'early_warning', scores: 'scores' }
const LEARNED = { summary: 'summary', predict: 'predict', score: 'score' }
const RETENTION = { summary: 'estimates', coefficients: 'coefficients', survival: 'survival', value: 'value', predict: 'predict', compare: 'compare', lifeTable: 'life_table' }

/** Their methods, and the reports that these are. */
const KINDS = {
  Cox: { ...SURVIVAL, baseline: 'baseline', proportionalHazards: 'proportional_hazards' },
  DiscreteHazard: { ...SURVIVAL, hazards: 'baseline' },
  Aft: SURVIVAL,
  ZeroInflatedLognormal: LEARNED,
  ShiftedBetaGeo: RETENTION,
  BetaDiscreteWeibull: RETENTION,
}

/** The parameters of those that can be given them. */
const PARAMETERS = { ShiftedBetaGeo: ['alpha', 'beta'], BetaDiscreteWeibull: ['alpha', 'beta', 'c'] }

/** The methods that take a frame. */
const FRAMES = new Set(['predict', 'earlyWarning', 'score', 'scores'])

/** The classes by their names; each is made of the native `ContractualModel`. */
function contractual(ContractualModel) {
  const classes = {}
  for (const [name, reports] of Object.entries(KINDS)) {
    const Class = {
      [name]: class extends ContractualModel {
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
          return this.fitTable().toRows()[0].log_likelihood
        }

        get verdict() {
          return this.fitTable().column('verdict')[0]
        }
      },
    }[name]
    if (name in PARAMETERS) {
      Object.defineProperty(Class.prototype, 'effectsVerdict', {
        get() {
          return this.fitTable().toRows()[0].effects_verdict ?? null
        },
        configurable: true,
      })
      Class.fromParameters = (params, period) => {
        const model = new Class()
        const number = (key) => (typeof params?.[key] === 'number' ? params[key] : NaN)
        model.takeParameters(PARAMETERS[name].map(number), period)
        return model
      }
    }
    for (const [method, report] of Object.entries(reports)) {
      const value = FRAMES.has(method)
        ? function (frame, options) {
          return this.report(report, frame, options)
        }
        : function (options) {
          return this.report(report, undefined, options)
        }
      Object.defineProperty(Class.prototype, method, { value, configurable: true, writable: true })
    }
    classes[name] = Class
  }
  return classes
}

const byName = (model, column) =>
  Object.fromEntries(model.table().toRows().map((row) => [row.parameter, row[column]]))

/** The reports that take a frame and options. */
const REPORTS = {
  kaplanMeier: 'kaplan_meier',
  nelsonAalen: 'nelson_aalen',
  survivalScores: 'survival_scores',
  customerEquity: 'customer_equity',
  historicValue: 'historic_value',
  cohorts: 'cohorts',
  chainLadder: 'chain_ladder',
  chainLadderOrders: 'chain_ladder_orders',
  markovValue: 'markov_value',
  markovFromOrders: 'markov_from_orders',
}

function reports(clvReport) {
  const report = (name) => (frame, options) => clvReport(name, frame, options)
  return {
    ...Object.fromEntries(Object.entries(REPORTS).map(([name, found]) => [name, report(found)])),
    /** The cases of a frame are an option: most have none. */
    simpleValue: ({ cases, ...options } = {}) => clvReport('simple_value', cases, options),
  }
}

module.exports = { contractual, reports }
