'use strict'
// The whole chain, from records to values.
const assert = require('node:assert/strict')
const { test } = require('node:test')
const arrow = require('apache-arrow')
const hw = require('../index.js')

test('events to customers, journeys, credits, values and segments', async () => {
  const market = await hw.simulate.market({ people: 2000, days: 180, seed: 4 })
  const identifiers = ['cookie', 'device', 'email', 'user_id', 'phone', 'loyalty']
  const people = await hw.stitch(market.records, { identifiers, time: 'time', source: 'source' })
  assert.ok(people.customerCount > 0 && people.identifierCount >= people.customerCount)
  const [touches, orders] = [await people.assign(market.events), await people.assign(market.orders)]
  assert.equal(touches.rows, market.events.rows)

  const journeys = await hw.Journeys.fromEvents(touches, { conversions: orders, value: 'value', cost: 'cost', lookback: '14d' })
  assert.equal(journeys.totalConversions, orders.rows)
  const markov = await new hw.Markov({ order: 2 }).fit(journeys)
  const credit = await hw.attribute(journeys, ['first', 'last', new hw.PositionBased({ first: 0.3 }), markov, new hw.Shapley()])
  for (const model of new Set(credit.column('model'))) {
    const rows = credit.toRows().filter((row) => row.model === model)
    assert.ok(Math.abs(rows.reduce((sum, row) => sum + row.conversions, 0) - orders.rows) < 1e-6)
  }
  const score = markov.score(['email', 'direct'])
  assert.ok(Math.abs(score[0] + score[1] - 1) < 1e-12)
  assert.deepEqual(new hw.TimeDecay({ halfLife: '1d' }).score(['a', 'b'], ['2024-01-01', new Date('2024-01-02')]), [1 / 3, 2 / 3])
  const loaded = await hw.load(markov.toBytes())
  assert.deepEqual([loaded.channels, loaded.removalEffects], [markov.channels, markov.removalEffects])

  const rfm = await hw.clv.summarize(orders, { period: '7d' })
  const model = new hw.clv.BetaGeo({ period: '7d' })
  assert.equal(await model.fit(rfm), model)
  const spend = await new hw.clv.GammaGamma().fit(rfm)
  const values = await hw.clv.lifetimeValue(model, spend, rfm, { periods: 26, discountRate: 0.001 })
  assert.equal(values.rows, rfm.rows)
  const predicted = await model.predict(rfm, { periods: 26 })
  assert.deepEqual(predicted.column('p_alive'), values.column('p_alive'))
  const [frequency, recency, T] = ['frequency', 'recency', 'T'].map((name) => rfm.column(name)[0])
  assert.equal(model.pAlive(frequency, recency, T), predicted.column('p_alive')[0])
  const tracked = await model.tracking(orders, { interval: 0.9 })
  assert.ok(tracked.rows > 10)
  assert.ok(tracked.toRows().every((row) => row.expected_low < row.expected_high))
  await assert.rejects(model.predict(rfm, { period: '1d' }), { code: 'HW_OPTION' })

  const segments = await hw.segment.rfm(orders)
  assert.equal(segments.extras.segments.column('customers').reduce((a, b) => a + b), segments.rows)
  const clusters = await new hw.segment.KMeans({ k: 3, seed: 2 }).fit(rfm, { features: ['frequency', 'recency'], scale: 'standard' })
  assert.deepEqual(Float64Array.from(clusters.labels), (await clusters.predict(rfm)).column('segment'))
})

test('summaries of parts merge in any order to the same bits', async () => {
  const part = async (path, conversions) => (await hw.Journeys.fromPaths({ path, conversions: Float64Array.from(conversions) })).counts()
  const [a, b] = [await part(['x > y', 'y'], [0.1, 2]), await part(['y', 'z > x'], [0.2, 0.7])]
  const [ab, ba] = [await a.merge(b), await b.merge(a)]
  assert.deepEqual(ab.toBytes(), ba.toBytes())
  const loaded = await hw.load(ab.toBytes())
  assert.ok(loaded instanceof hw.PathCounts && loaded.size === 3)
  const whole = await hw.Journeys.fromPaths({ path: ['x > y', 'y', 'y', 'z > x'], conversions: Float64Array.of(0.1, 2, 0.2, 0.7) })
  const credits = async (journeys) => (await hw.attribute(journeys, ['linear', new hw.Markov()])).columns()
  assert.deepEqual(await credits(loaded.journeys()), await credits(whole))
})

test('journeys grow by parts and from file', async () => {
  const touches = {
    customer: ['a', 'a', 'b', 'c', 'c', 'd'], channel: ['search', 'email', 'email', 'search', 'social', 'social'],
    time: [1, 3, 2, 1, 4, 5].map((day) => `2024-01-0${day}`), secret: ['1', '2', '3', '4', '5', '6'],
  }
  const orders = { customer: ['a', 'c'], time: ['2024-01-05', '2024-01-09'], value: Float64Array.of(10, 5.5) }
  const some = (frame, from, to) => Object.fromEntries(Object.entries(frame).map(([name, values]) => [name, values.slice(from, to)]))
  const parts = [[some(touches, 0, 3), some(orders, 0, 1)], [some(touches, 3, 6), some(orders, 1, 2)]]
  const options = { value: 'value', open: 'censored', lookbackByChannel: { social: '9d' } }
  const shown = async (journeys) => [(await journeys.durations()).toRows(), (await journeys.paths()).toRows(), (await journeys.summary()).toRows()]
  const whole = await shown(await hw.Journeys.fromEvents(touches, { ...options, conversions: orders }))

  let builder = new hw.JourneyBuilder(options)
  assert.equal((await builder.journeys()).size, 0)
  for (const [t, o] of parts) {
    assert.equal(await builder.extend(t, o, { threads: 1, onProgress: () => {} }), undefined)
    builder = await hw.load(builder.toBytes())
    assert.ok(builder instanceof hw.JourneyBuilder)
  }
  assert.deepEqual(await shown(await builder.journeys()), whole)
  assert.ok(!Buffer.from(builder.toBytes()).includes('secret'))

  const [first, second] = [new hw.JourneyBuilder(options), new hw.JourneyBuilder(options)]
  await Promise.all([first.extend(...parts[0]), second.extend(...parts[1])])
  await first.merge(second)
  assert.deepEqual([first.touches, second.touches], [6, 3])
  assert.deepEqual(first.toBytes(), builder.toBytes())

  const file = require('node:path').join(require('node:fs').mkdtempSync(require('node:path').join(require('node:os').tmpdir(), 'headwater-')), 'builder.json')
  await first.save(file)
  assert.deepEqual(await shown(await (await hw.load(file)).journeys()), whole)

  const before = first.toBytes()
  await assert.rejects(first.extend(parts[0][0]), { code: 'HW_OPTION', option: 'conversions' })
  await assert.rejects(first.extend({ ...parts[0][0], channel: ['x', null, 'y'] }, parts[0][1]), { code: 'HW_ROW' })
  await assert.rejects(first.extend(...parts[0], { signal: AbortSignal.abort() }), { code: 'HW_CANCELLED' })
  await assert.rejects(first.extend(...parts[0], { value: 'value' }), { code: 'HW_OPTION' })
  await assert.rejects(first.merge(new hw.JourneyBuilder()), { code: 'HW_OPTION' })
  assert.deepEqual(first.toBytes(), before)
  await assert.rejects(hw.load(before.slice(0, -9)), { code: 'HW_MODEL_FILE' })
  assert.throws(() => new hw.JourneyBuilder({ lokback: '7d' }), { code: 'HW_OPTION', option: 'lokback' })
  assert.throws(() => new hw.JourneyBuilder({ viewLookback: '7d' }), { code: 'HW_OPTION', option: 'viewLookback' })

  const flagged = new hw.JourneyBuilder({ conversions: 'sold' })
  await flagged.extend({ ...touches, sold: [false, true, false, false, true, false] })
  assert.equal((await flagged.journeys()).totalConversions, 2)
})

test('models predict, or say that they do not', async () => {
  const touches = { customer: ['a', 'b', 'b', 'c', 'd'], channel: ['x', 'x', 'y', 'y', 'x'], time: [1, 2, 3, 4, 5].map((day) => `2024-01-0${day}`) }
  const orders = { customer: ['b', 'd'], time: ['2024-01-04', '2024-01-07'] }
  const journeys = await hw.Journeys.fromEvents(touches, { conversions: orders })
  const times = [new Date('2024-01-01'), '2024-01-02']
  for (const model of [new hw.Markov(), new hw.PathCounterfactual(), new hw.TimeToEvent(), new hw.AdditiveHazard()]) {
    assert.throws(() => model.predict(['x'], times.slice(1)), { code: 'HW_OPTION' })
    const chance = (await model.fit(journeys)).predict(['x', 'y'], times)
    assert.ok(chance >= 0 && chance <= 1)
    assert.equal((await hw.load(model.toBytes())).predict(['x', 'y'], times), chance)
    assert.ok(model.predict(['x', 'y'], times, new Date('2024-01-20')) <= chance)
    assert.throws(() => model.predict([]), { code: 'HW_OPTION', option: 'path' })
    assert.throws(() => model.predict(['x', 'y'], times, '2024-01-01'), { code: 'HW_OPTION', option: 'end' })
  }
  for (const model of [new hw.Shapley(), new hw.ShaoLi()]) {
    await model.fit(journeys)
    assert.throws(() => model.predict(['x']), { code: 'HW_OPTION', option: 'model' })
  }
})

test('a fit says what it dropped', async () => {
  const customers = Array.from({ length: 60 }, (_, i) => ({
    customer: `c${i}`, frequency: i % 5, recency: i % 5 ? 1 + ((i * 7) % 23) : 0, T: 30, monetary_value: i % 5 ? 5 + ((i * 7) % 11) : 0,
  }))
  const rfm = [...customers, { ...customers[1], frequency: -1 }]
  for (const [Model, options] of [[hw.clv.BetaGeo, { penalty: 0.1 }], [hw.clv.GammaGamma, {}]]) {
    const model = new Model()
    assert.throws(() => model.dropped(), { code: 'HW_OPTION' })
    await model.fit(rfm, { ...options, onInvalid: 'drop' })
    const [row] = model.dropped().toRows()
    assert.deepEqual([row.column, row.count, row.first_row], ['frequency', 1, 60])
  }
})

test('assign gives back the kind of frame that went in', async () => {
  const events = { cookie: ['1', '1', '2', null], email: [null, 'a@x.org', 'a@x.org', null], n: Int32Array.of(1, 2, 3, 4) }
  const people = await hw.stitch(events, { identifiers: ['cookie', 'email'] })
  const columns = await people.assign(events)
  const [customer] = columns.customer
  assert.deepEqual(columns.customer, [customer, customer, customer, null])
  assert.equal(columns.n, events.n)
  const rows = await people.assign([{ email: 'A@X.org', n: 1 }, { email: 'who@y.org', n: 2 }])
  assert.deepEqual(rows, [{ email: 'A@X.org', n: 1, customer }, { email: 'who@y.org', n: 2, customer: null }])
  const table = await people.assign(arrow.tableFromArrays({ email: ['a@x.org'] }))
  assert.deepEqual([table.numCols, table.getChild('customer').get(0)], [2, customer])
  assert.deepEqual(people.members(customer).length, 3)
  assert.equal(people.resolve('email', 'a@x.org'), customer)
})

test('a graph of identities takes events one at a time', async () => {
  const graph = new hw.IdentityGraph({ namespaces: [{ name: 'user_id', limit: 1 }, 'email'] })
  const first = graph.observe({ cookie: '7f3' }, { time: new Date('2024-01-01'), source: 'web' })
  const second = graph.observe({ cookie: '7f3', email: 'A@x.org', phone: null, user_id: 17 }, { time: '2024-01-02T00:00:00.000001Z' })
  assert.equal(second.customer, first.customer)
  const [link] = graph.explain(['email', 'a@x.org'], ['cookie', '7f3'])
  assert.equal(+link.time, Date.UTC(2024, 0, 2))
  assert.equal(graph.explain(['email', 'a@x.org'], ['cookie', 'no']), null)
  const refused = graph.observe({ cookie: '7f3', user_id: 18 })
  assert.equal(refused.refused[0].rule, 'limit:user_id')
  assert.equal(graph.refused().rows, 1)
  const again = await hw.load(graph.toBytes())
  assert.deepEqual(again.customers().toRows(), graph.customers().toRows())
  assert.equal(graph.unlink(['email', 'a@x.org'], ['cookie', '7f3']).links, 1)
  assert.equal(graph.forget('email', 'a@x.org').customer.length > 0, true)
  assert.equal(graph.resolve('email', 'a@x.org'), null)
  const start = performance.now()
  for (let i = 0; i < 20_000; i++) graph.observe({ cookie: `c${i % 5000}`, email: `m${i % 3000}@x.org` })
  console.log(`  ${(((performance.now() - start) * 1000) / 20_000).toFixed(1)} µs for each observe`)
})
