'use strict'

/** `fromEvents`: conversions are a frame of their own, or the name of a flag column. */
function fromEvents(Journeys) {
  return (touches, options) => {
    const { conversions, ...rest } = options ?? {}
    if (typeof conversions === 'string') return Journeys.readEvents(touches, undefined, { ...rest, conversion: conversions })
    return Journeys.readEvents(touches, conversions, rest)
  }
}

module.exports = { fromEvents }
