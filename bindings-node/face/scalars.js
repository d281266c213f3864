'use strict'
// Numbers that native methods take one by one: a wrong one is an error that names it.
const { optionError } = require('./error.js')

const CUSTOMER = ['frequency', 'recency', 'T']

/** The arguments of methods; those with a question mark may be left out, one without a name is no number. */
const PURCHASES = {
  pAlive: [...CUSTOMER, 'ahead?'],
  expectedPurchases: [...CUSTOMER, 'periods'],
  residualPurchases: [...CUSTOMER, 'discountRate'],
  probabilities: [...CUSTOMER, 'periods', 'most'],
  pAliveInterval: [...CUSTOMER, 'ahead?', 'level?'],
  expectedPurchasesInterval: [...CUSTOMER, 'periods', 'level?'],
  residualPurchasesInterval: [...CUSTOMER, 'discountRate', 'level?'],
  probabilitiesInterval: [...CUSTOMER, 'periods', 'most', 'level?'],
}
const SPEND = {
  expectedSpend: ['frequency', 'monetaryValue'],
  expectedSpendInterval: ['frequency', 'monetaryValue', 'level?'],
}
const CLOCK = { span: ['', 'periods'] }

const shown = (value) => (typeof value === 'number' ? String(value) : value === null ? 'null' : `a ${typeof value}`)

function number(option, value) {
  if (typeof value !== 'number') throw optionError(option, `is ${shown(value)}, not a number`)
  return value
}

function whole(option, value) {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) return value
  throw optionError(option, `is ${shown(value)}, not a whole number from 0`)
}

function check(name, value) {
  const option = name.replace('?', '')
  if (!name) return
  if (option !== name && (value === undefined || value === null)) return
  if (option === 'most') whole(option, value)
  else number(option, value)
}

/** Checks the numbers that these methods of a native class take. */
function scalars(Native, methods) {
  for (const [method, names] of Object.entries(methods)) {
    const native = Native.prototype[method]
    const value = function (...given) {
      names.forEach((name, i) => check(name, given[i]))
      return native.apply(this, given)
    }
    Object.defineProperty(Native.prototype, method, { value, configurable: true, writable: true })
  }
}

module.exports = { CLOCK, PURCHASES, SPEND, scalars, whole }
