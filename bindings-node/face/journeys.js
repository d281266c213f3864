'use strict'
// What journeys can do beyond their native half: every report is reached by name.

/** `fromEvents`: conversions are a frame of their own, or the name of a flag column. */
const fromEvents = (Journeys) => (touches, options) => {
  const { conversions, ...rest } = options ?? {}
  if (typeof conversions === 'string') return Journeys.readEvents(touches, undefined, { ...rest, conversion: conversions })
  return Journeys.readEvents(touches, conversions, rest)
}

/** Methods with options alone, and the reports that they ask for. */
const REPORTS = {
  paths: 'paths',
  transitions: 'transitions',
  lags: 'lags',
  lengths: 'lengths',
  channels: 'channels',
  summary: 'summary',
}

const methods = {
  touchCredits(model, options) {
    return this.attribution('touch_credits', { ...options, model })
  },
}
for (const [name, report] of Object.entries(REPORTS)) {
  methods[name] = function (options) {
    return this.report(report, options)
  }
}

/** Adds them to the native class. */
function dress(Journeys) {
  const add = (to, name, value) => Object.defineProperty(to, name, { value, configurable: true, writable: true })
  add(Journeys, 'fromEvents', fromEvents(Journeys))
  for (const [name, value] of Object.entries(methods)) add(Journeys.prototype, name, value)
}

module.exports = { dress }
