'use strict'
// What journeys can do beyond their native half: every report is reached by name.
const { ask } = require('./callback.js')
const { snake } = require('./error.js')

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
  durations: 'durations',
  accounting: 'accounting',
  stepMatrix: 'step_matrix',
  graph: 'graph',
  timeToConvert: 'time_to_convert',
  pathLength: 'path_length',
  assisted: 'assisted',
  positions: 'positions',
  overlap: 'overlap',
  friction: 'friction',
  sequences: 'sequences',
  features: 'features',
  lagCurves: 'lag_curves',
}

const methods = {
  funnel(steps, options) {
    return this.report('funnel', { ...options, steps })
  },
  patterns(patterns, options) {
    return this.report('patterns', { ...options, patterns: typeof patterns === 'string' ? [patterns] : patterns })
  },
  bootstrap(name, given) {
    const { bootstrap, confidence, interval, signal, onProgress, seed, threads, ...options } = given ?? {}
    if (typeof options.patterns === 'string') options.patterns = [options.patterns]
    const asked = { report: snake(String(name)), options, bootstrap, confidence, interval }
    return this.attribution('bootstrap_report', { ...asked, signal, onProgress, seed, threads })
  },
  graphDifference(other, options) {
    return this.attribution('graph_difference', options ?? {}, other)
  },
  onlineOffline(offline, options) {
    return this.report('online_offline', { ...options, offline })
  },
  touchCredits(model, options) {
    return ask(this, 'touch_credits', { ...options, model })
  },
  async ofKind(kind, options) {
    return (await this.part('of_kind', { ...options, kind })).at(0)
  },
  async between(start, end, options) {
    return (await this.part('between', { ...options, start, end })).at(0)
  },
  async ofCustomers(customers, options) {
    const frame = Array.isArray(customers) ? { customer: customers } : customers
    return (await this.part('of_customers', options, frame)).at(0)
  },
  async byCampaign(options) {
    return (await this.part('by_campaign', options)).at(0)
  },
  async transform(steps, options) {
    return (await this.part('transform', { ...options, steps })).at(0)
  },
  async matching(pattern, options) {
    return (await this.part('matching', { ...options, pattern })).at(0)
  },
  async rollUp(options) {
    return (await this.part('roll_up', options)).at(0)
  },
  async withSegments(segments, options) {
    return (await this.part('with_segments', options, segments)).at(0)
  },
  async withLifetime(lifetime, options) {
    return (await this.part('with_lifetime', options, lifetime)).at(0)
  },
  async withMargin(options) {
    return (await this.part('with_margin', options)).at(0)
  },
  async split(options) {
    const parts = await this.part('split', options)
    return Object.fromEntries(parts.labels().map((label, i) => [label, parts.at(i)]))
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

/** `drillDown(credits, options)`: the channels' own credits are a frame of their own. */
const drillDown = (native) => (credits, options) => {
  const { channelCredits, ...rest } = options ?? {}
  return native(credits, channelCredits, rest)
}

/** `chooseOrder(journeys, options)`. */
const chooseOrder = (journeys, options) => journeys.attribution('choose_order', { ...options })

module.exports = { chooseOrder, dress, drillDown }
