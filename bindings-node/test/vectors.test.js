'use strict'
// The vectors that Rust, Python and Node share: the same bits in each.
const assert = require('node:assert/strict')
const { readdirSync, readFileSync } = require('node:fs')
const { join } = require('node:path')
const { test } = require('node:test')
const arrow = require('apache-arrow')
const hw = require('../index.js')
const { assertFrame } = require('./support.js')

const folder = join(__dirname, '..', '..', 'core', 'tests', 'vectors')

/** JSON does not say whether 1 is a float; where any number of a column has a point, all are. */
const floats = (text) => JSON.parse(text.replace(/(?<=[[,{:\s])-?\d+\.0+(?=[\s,\]}])/g, (number) => `"\\u0000${number}"`), (_, value) =>
  Array.isArray(value) && value.some((item) => typeof item === 'string' && item[0] === '\0')
    ? Object.assign(value.map((item) => (typeof item === 'string' && item[0] === '\0' ? Number(item.slice(1)) : item)), { float: true })
    : typeof value === 'string' && value[0] === '\0' ? Number(value.slice(1)) : value)

const column = (values) =>
  values.float && values.every((value) => value !== null) ? Float64Array.from(values) : values

async function journeys({ frames, options: { attribute, model, journeys: given, ...rest } }) {
  return made(frames, given ?? rest)
}

async function made(frames, options, prefix = '') {
  const paths = frames[`${prefix}paths`]
  if (paths) return hw.Journeys.fromPaths(paths, options)
  const conversions = frames[`${prefix}conversions`]
  return hw.Journeys.fromEvents(frames[`${prefix}touches`], conversions ? { ...options, conversions } : options)
}

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase())

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** A report's frames by name, the first under the report's own unless the core says another. */
const tables = (frame, expected, report) => {
  const extras = Object.entries(frame.extras).map(([name, table]) => [snake(name), table])
  const beside = (name) => extras.some(([other]) => other === name)
  const main = report in expected ? report : Object.keys(expected).find((name) => !beside(name))
  return { [main]: frame, ...Object.fromEntries(extras) }
}

/** A model `callback` as a function that says what it said of each touch, in their order. */
function replayed(model, rules) {
  if (model.model !== 'callback') return model
  const said = Array.from(rules[model.name])
  const rule = (touches) => said.splice(0, touches.length)
  return Object.defineProperty(rule, 'name', { value: model.name })
}

async function reports(made, timed) {
  const out = { paths: made.paths(), transitions: made.transitions(), lengths: made.lengths(), channels: made.channels(), summary: made.summary() }
  if (timed) out.lags = made.lags()
  for (const name of Object.keys(out)) out[name] = await out[name]
  return { ...out, dropped: made.dropped() }
}

const people = async ({ frames, options }) => hw.stitch(frames.events, options)

/** Fits, saves, loads and predicts. */
const fitted = (Model) => async ({ frames: { rfm }, options: { fit, predict } }) => {
  const model = await new Model(fit).fit(rfm)
  const loaded = await hw.load(model.toBytes())
  return { parameters: loaded.table(), fit: loaded.fitTable(), predictions: await loaded.predict(rfm, predict) }
}

const calls = {
  transform: async ({ frames, options }) => {
    const after = await (await made(frames, options.journeys ?? {})).transform(options.transform.steps)
    return { paths: await after.paths(), channels: await after.channels(), summary: await after.summary() }
  },
  roll_up: async ({ frames, options: { journeys: given, levels, attribute } }) => {
    const fine = await made(frames, given ?? {})
    const up = await fine.rollUp(levels)
    const [credits, channelCredits] = [await hw.attribute(fine, attribute.models), await hw.attribute(up, attribute.models)]
    const [down, shared] = [await hw.drillDown(credits, levels), await hw.drillDown(credits, { ...levels, channelCredits })]
    return { paths: await up.paths(), drill_down: down, shared }
  },
  group_channels: async ({ frames, options }) => {
    const table = await hw.groupChannels(frames.visits, options)
    if (options.rules) {
      const again = await hw.groupChannels(frames.visits, { ...options, rules: new hw.ChannelRules(options.rules) })
      assert.deepEqual(again.columns(), table.columns())
    }
    return { table, ...table.extras }
  },
  stitch: async (given) => {
    const found = await people(given)
    const tables = { customers: found.customers(), refused: found.refused(), blocked: found.blocked(), sizes: found.sizes() }
    const again = await found.assign(Object.keys(given.frames.events).length ? given.frames.events : undefined)
    assert.deepEqual(again.customer, (await found.assign()).column('customer'))
    return { ...tables, assign: await found.assign(), dropped: found.dropped() }
  },
  identity_graph: async ({ frames, options }) => {
    const graph = new hw.IdentityGraph(options.rules)
    await graph.extend(frames.events, options)
    return { customers: graph.customers(), refused: graph.refused() }
  },
  explain: async ({ frames, options: { explain: [a, b], ...options } }) => {
    const links = (await people({ frames, options })).explain(a, b) ?? []
    const time = (value) => (value === null ? null : value.getTime() * 1000)
    const column = (read) => links.map(read)
    return {
      explain: {
        from_namespace: column((link) => link.from.namespace),
        from_identifier: column((link) => link.from.value),
        to_namespace: column((link) => link.to.namespace),
        to_identifier: column((link) => link.to.value),
        time: column((link) => time(link.time)),
        last_time: column((link) => time(link.lastTime)),
        source: column((link) => link.source),
        events: column((link) => link.events),
      },
    }
  },
  pairwise: async ({ frames, options }) => ({ scores: await hw.evaluate(frames.rows, options) }),
  normalize: async ({ frames: { values } }) => ({
    values: {
      email: values.email.map((value) => hw.normalizeEmail(value) ?? ''),
      gmail: values.email.map((value) => hw.normalizeEmail(value, true) ?? ''),
      phone: values.phone.map((value) => hw.normalizePhone(value, 'GB') ?? ''),
    },
  }),
  from_events: async (given) => reports(await journeys(given), true),
  from_paths: async (given) => reports(await journeys(given), false),
  grow: async ({ frames, options }) => {
    let builder = new hw.JourneyBuilder(options)
    for (let n = 1; frames[`touches_${n}`]; n++) {
      await builder.extend(frames[`touches_${n}`], frames[`conversions_${n}`])
      builder = await hw.load(builder.toBytes())
    }
    return reports(await builder.journeys(), true)
  },
  attribute: async (given) => {
    const credits = await hw.attribute(await journeys(given), given.options.attribute.models)
    const { removalEffects } = credits.extras
    return { credits, ...(removalEffects?.rows ? { removal_effects: removalEffects } : {}) }
  },
  part: async ({ frames, options: { journeys: given, segments, part, options } }) => {
    const whole = await made(frames, given)
    const ways = {
      of_kind: () => whole.ofKind(options.kind),
      between: () => whole.between(options.start, options.end),
      by_campaign: () => whole.byCampaign(),
      matching: () => whole.matching(options.pattern, options),
      with_lifetime: () => whole.withLifetime(frames.frame, options),
      with_margin: () => whole.withMargin(options),
      of_customers: () => whole.ofCustomers(frames.frame),
      split: async () => (await whole.withSegments(frames.frame, segments)).split(),
    }
    const found = await ways[part]()
    const parts = part === 'split' ? Object.values(found) : [found]
    const [first, last] = [parts[0], parts[parts.length - 1]]
    return { first: await first.paths(), last: await last.paths(), summary: await first.summary() }
  },
  report: async ({ frames, options: { journeys: given, report, options } }, expected) => {
    const whole = await made(frames, given)
    const marked = frames.segments ? await whole.withSegments(frames.segments) : whole
    return tables(await marked.report(report, options), expected)
  },
  attribution: async ({ frames, options: { journeys: given, other, report, options } }, expected) => {
    const there = Object.keys(frames).some((name) => name.startsWith('other_'))
    if (frames.rules) {
      const { models, ...rest } = options
      return tables(await hw.attribute(await made(frames, given), models.map((model) => replayed(model, frames.rules)), rest), expected)
    }
    const beside = there ? await made(frames, other, 'other_') : undefined
    return tables(await (await made(frames, given)).attribution(report, options, beside, frames.frame, undefined, frames.lift_tests), expected)
  },
  fit: async ({ frames, options: { journeys: given, model: spec, reports: names = [], score = [], predict } }, expected) => {
    const { model: name, ...parameters } = typeof spec === 'string' ? { model: spec } : spec
    const fresh = new (hw.modelClass(name))(parameters)
    const model = await hw.load((await fresh.fit(await made(frames, given))).toBytes())
    const out = {}
    const left = { ...expected }
    delete left.score
    delete left.predict
    for (const report of names) {
      const found = tables(model.report(report), left, report)
      for (const found_ of Object.keys(found)) delete left[found_]
      Object.assign(out, found)
    }
    const journey = []
    const credit = []
    score.forEach(({ path, times, end }, i) => {
      const at = (micros) => micros / 1000
      const shares = model.score(path, times?.map(at), end === undefined ? undefined : at(end))
      shares.forEach((share) => journey.push(i) && credit.push(share))
    })
    const predicted = predict?.map(({ path, times, end }) =>
      model.predict(path, times?.map((micros) => micros / 1000), end === undefined ? undefined : end / 1000))
    return { ...out, score: { journey, credit }, ...(predicted && { predict: { probability: predicted } }) }
  },
  touch_credits: async (given) => ({ touch_credits: await (await journeys(given)).touchCredits(given.options.model) }),
  'clv.summarize': async ({ frames, options }) => {
    const rfm = await hw.clv.summarize(frames.orders, options)
    return { rfm, accounting: rfm.extras.accounting }
  },
  'clv.beta_geo': fitted(hw.clv.BetaGeo),
  'clv.gamma_gamma': fitted(hw.clv.GammaGamma),
  'clv.lifetime_value': async ({ frames: { rfm }, options }) => {
    const model = await new hw.clv.BetaGeo(options.beta_geo).fit(rfm)
    const spend = options.spend
      ? await hw.clv.laplace(rfm, { model: 'GammaGamma', ...options.spend })
      : await new hw.clv.GammaGamma(options.gamma_gamma).fit(rfm)
    return { lifetime_value: await hw.clv.lifetimeValue(model, spend, rfm, options.lifetime_value) }
  },
  'clv.tracking': async ({ frames, options }) => {
    const model = await new hw.clv.BetaGeo().fit(frames.rfm, options.fit)
    return { tracking: await model.tracking(frames.orders, options.tracking) }
  },
  'clv.tracking_of': async ({ frames: { rfm, orders }, options: { kind, fit, tracking } }) => {
    const model = await new hw.clv[kind.replace('clv.', '')](fit).fit(rfm)
    const tracked = await model.trackingOf(orders, rfm, tracking)
    return { tracking: tracked, by_cohort: tracked.extras.byCohort }
  },
  'clv.single': async ({ frames: { rfm }, options: { kind, fit, customer, periods, most, interval } }) => {
    const model = await new hw.clv[kind.replace('clv.', '')]().fit(rfm, fit)
    const score = [model.expectedPurchasesInterval(...customer, periods, interval), model.pAliveInterval(...customer, 0, interval)]
    const probabilities = model.probabilitiesInterval(...customer, periods, most, interval)
    if (!customer.some(Boolean)) {
      const fresh = await model.newCustomer({ periods, most, interval })
      assert.deepEqual(Array.from(fresh.column('probability_low')), probabilities.map((edges) => edges[0]))
    }
    const sides = (edges) => ({ low: edges.map((edge) => edge[0]), high: edges.map((edge) => edge[1]) })
    return { score: sides(score), probabilities: sides(probabilities) }
  },
  'clv.forecast_errors': async ({ frames, options }) => ({ errors: await hw.clv.forecastErrors(frames.frame, options) }),
  'clv.purchases': async ({ frames: { rfm }, options: { kind, fit, predict } }) =>
    fitted(hw.clv[kind.replace('clv.', '')])({ frames: { rfm }, options: { fit, predict } }),
  'clv.dynamic': async ({ frames: { orders, along }, options: { kind, fit, predict } }) => {
    const Model = hw.clv[kind.replace('clv.', '')]
    const model = await hw.load((await new Model(fit).fit(orders, along)).toBytes())
    assert.ok(model instanceof Model)
    return { parameters: model.table(), fit: model.fitTable(), predict: await model.predict(orders, along, predict) }
  },
  'clv.independence': async ({ frames: { rfm } }) => ({
    independence: (await new hw.clv.GammaGamma().fit(rfm)).independence(),
  }),
  'clv.report': async ({ frames: { frame }, options: { name, options } }, expected) => {
    const ask = hw.clv[camel(name)]
    return tables(await (name === 'simple_value' ? ask({ cases: frame, ...options }) : ask(frame, options)), expected)
  },
  'clv.model': async ({ frames, options: { kind, fit, reports } }, expected) => {
    const Model = hw.clv[kind.replace('clv.', '')]
    const model = await hw.load((await new Model(fit).fit(frames.frame)).toBytes())
    assert.ok(model instanceof Model)
    assert.deepEqual(Object.values(model.params), Array.from(model.table().column('estimate')))
    const out = { parameters: model.table(), fit: model.fitTable() }
    for (const [name, options] of reports) {
      const method = kind === 'clv.DiscreteHazard' && name === 'baseline' ? 'hazards' : camel(name)
      const found = await (model[method].length === 2 ? model[method](frames.new ?? frames.frame, options) : model[method](options))
      const own = Object.keys(expected).filter((table) => table.startsWith(`${name}.`)).map((table) => table.slice(name.length + 1))
      const named = tables(found, Object.fromEntries(own.map((table) => [table, true])))
      for (const [table, frame] of Object.entries(named)) out[`${name}.${table}`] = frame
    }
    return out
  },
  'clv.posterior': async ({ frames: { rfm, customers = rfm }, options: { method, kind, draw, predict, ...reports } }) => {
    const drawn = await hw.load((await hw.clv[method](rfm, { model: kind, ...draw })).toBytes())
    assert.ok(drawn instanceof hw.clv.Posterior)
    assert.strictEqual(drawn.method, method)
    const [posterior, draws] = [await drawn.summary(), await drawn.draws()]
    const out = { posterior, draws, fit: drawn.fitTable(), predict: await drawn.predict(customers, predict) }
    const { check, survival, value, spend, lifetime_value: worth } = reports
    if (check) out.check = await drawn.check(rfm, check)
    if (survival) out.survival = await drawn.survival(survival)
    if (value) out.value = await drawn.value(value)
    if (spend) {
      const spends = await hw.clv[method](rfm, { model: 'GammaGamma', ...spend })
      out.lifetime_value = await drawn.lifetimeValue(spends, customers, worth)
    }
    return out
  },
  'segment.rfm': async ({ frames, options }) => {
    const table = await hw.segment.rfm(frames.orders, options)
    return { table, ...table.extras }
  },
  'segment.kmeans': async ({ frames, options }, expected) => {
    const model = await new hw.segment.KMeans(options).fit(frames.frame)
    const table = model.assignments()
    const out = { table, centers: model.table(), dropped: table.dropped }
    const loaded = await hw.load(model.toBytes())
    assert.deepEqual(loaded.centers, model.centers)
    if (expected.predict) out.predict = await loaded.predict(frames.new, options.on_invalid ? { onInvalid: options.on_invalid } : {})
    return out
  },
  simulate: async ({ options }) => {
    const { truthPeople, truthEvents, truthOrders, ...market } = await hw.simulate.market(options)
    return { ...market, truth_people: truthPeople, truth_events: truthEvents, truth_orders: truthOrders }
  },
  presets: async () => ({ presets: hw.simulate.presets() }),
  lift_test: async ({ options: { market, tests } }) => ({ lift_test: await hw.simulate.liftTest(tests, market) }),
  score: async ({ frames: { credits, truth }, options }) => {
    const channels = await hw.simulate.score(credits, truth, options)
    return { channels, models: channels.extras.models }
  },
}

for (const file of readdirSync(folder).filter((name) => name.endsWith('.json')).sort()) {
  const cases = floats(readFileSync(join(folder, file), 'utf8'))
  // Some files hold numbers for the core alone, without calls.
  if (!Array.isArray(cases) || !cases[0]?.call) continue
  for (const given of cases) {
    test(`${file}: ${given.name}`, async () => {
      const call = calls[given.call]
      assert.ok(call, `no call ${given.call}: a public function of the core without a Node twin`)
      const read = (frame) => Object.fromEntries(Object.entries(frame).map(([name, values]) => [name, column(values)]))
      const frames = Object.fromEntries(Object.entries(given.frames ?? {}).map(([name, frame]) => [name, read(frame)]))
      const run = async () => call({ frames, options: given.options ?? {} }, given.expect ?? {})
      if (given.error) return assert.rejects(run(), { code: given.error })
      const tables = await run()
      for (const [name, expected] of Object.entries(given.expect)) {
        assert.ok(tables[name], `no table ${name}`)
        if (tables[name] instanceof hw.Frame) assertFrame(tables[name], expected, `${given.name}: ${name}`)
        else assert.deepEqual(tables[name], structuredClone(expected), `${given.name}: ${name}`)
      }
    })
  }
}

test('the same frame as rows and as Arrow gives the same bits', async () => {
  const orders = { customer: ['a', 'b', 'a', 'c', null], time: ['2024-01-05', '2023-06-01', '2024-02-01', '2023-12-24', '2024-01-01'], value: [20.5, 5, 30, 12.25, 1] }
  const rows = orders.customer.map((customer, i) => ({ customer, time: new Date(orders.time[i]), value: orders.value[i] }))
  const table = arrow.tableFromArrays({ customer: orders.customer, value: Float64Array.from(orders.value) })
    .assign(new arrow.Table({ time: arrow.vectorFromArray(orders.time.map((time) => new Date(time)), new arrow.TimestampMillisecond()) }))
  const forms = { columns: orders, rows, table, stream: arrow.tableToIPC(table, 'stream'), file: arrow.tableToIPC(table, 'file') }
  const wanted = (await hw.segment.rfm(orders, { onInvalid: 'drop' })).columns()
  for (const [form, frame] of Object.entries(forms)) {
    const found = await hw.segment.rfm(frame, { onInvalid: 'drop' })
    assert.deepEqual(found.columns(), wanted, form)
    assert.equal(found.dropped.toRows()[0].count, 1)
  }
})
