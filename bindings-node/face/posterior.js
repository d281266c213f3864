'use strict'
// Draws of the parameters of models of purchases, a function for each method.
const { optionError } = require('./error.js')

const METHODS = { samplePosterior: 'nuts', laplace: 'laplace', bootstrap: 'bootstrap' }

const posteriors = (clvPosterior) => {
  const draw = (method) => async (rfm, given) => {
    const { model = 'BetaGeo', ...options } = given ?? {}
    if (typeof model !== 'string') throw optionError('model', 'must be the name of a model of purchases')
    return clvPosterior(method, model, rfm, options)
  }
  return Object.fromEntries(Object.entries(METHODS).map(([name, method]) => [name, draw(method)]))
}

module.exports = { posteriors }
