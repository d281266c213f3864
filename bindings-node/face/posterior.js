'use strict'
// Draws of the parameters of models of purchases, of spend and of retention, a function for each method.
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

const RUN = ['signal', 'onProgress', 'seed', 'threads']

/** Groups have options of their own, and those of one posterior. */
const hierarchies = (clvHierarchy) => ({
  sampleHierarchy: async (rfm, given) => {
    const { model = 'BetaGeo', group, spread, ...rest } = given ?? {}
    if (typeof model !== 'string') throw optionError('model', 'must be the name of a model of purchases')
    const run = Object.fromEntries(RUN.filter((name) => name in rest).map((name) => [name, rest[name]]))
    const sampling = Object.fromEntries(Object.entries(rest).filter(([name]) => !RUN.includes(name)))
    // What a hierarchy has otherwise than one posterior.
    return clvHierarchy(model, rfm, { group, spread, sampling: { tune: 500, targetAccept: 0.95, ...sampling }, ...run })
  },
})

module.exports = { hierarchies, posteriors }
