'use strict'

/** The markets of `simulate`, with their stream of batches. */
function simulate({ market, openBatches, nextBatch, ...plain }) {
  const dated = (market) => Object.assign(market, { end: new Date(market.end) })
  return {
    ...plain,
    market: async (options) => dated(await market(options)),
    batches: async function* (options) {
      const stream = openBatches(options)
      for (;;) {
        const batch = await nextBatch(stream, options)
        if (batch === undefined || batch === null) return
        yield dated(batch)
      }
    },
  }
}

module.exports = { simulate }
