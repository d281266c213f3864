'use strict'
const assert = require('node:assert')
const { mkdtempSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const test = require('node:test')
const hw = require('..')

const days = [[1, 5], [1, 9], [1, 31], [2, 29], [3, 1], [3, 1], [4, 2], [4, 30], [6, 5]]
const orders = {
  customer: ['a', 'b', 'a', 'c', 'a', 'b', 'd', 'c', 'a'],
  time: days.map(([month, day]) => `2024-0${month}-${String(day).padStart(2, '0')}`),
  value: Float64Array.of(10.1, 20, 0.2, 7.5, 3.3, 1, 5, 8, 2.5),
}
const part = (from, to) => Object.fromEntries(Object.entries(orders).map(([name, values]) => [name, values.slice(from, to)]))

test('summaries grow by parts and from file', async () => {
  const options = { period: '7d', calibrationEnd: '2024-03-31', logIntervals: true }
  const whole = await hw.clv.summarize(orders, options)
  let builder = new hw.clv.RfmBuilder(options)
  for (const rows of [part(0, 4), part(4, 9)]) {
    assert.equal(await builder.extend(rows, { threads: 1, onProgress: () => {} }), undefined)
    builder = await hw.load(builder.toBytes())
    assert.ok(builder instanceof hw.clv.RfmBuilder)
  }
  const grown = await builder.summary()
  assert.deepEqual(grown.toRows(), whole.toRows())
  assert.deepEqual(grown.extras.accounting.toRows(), whole.extras.accounting.toRows())
  assert.deepEqual([builder.orders, builder.customers, builder.lines], [9, 4, 9])

  const [first, second] = [new hw.clv.RfmBuilder(options), new hw.clv.RfmBuilder(options)]
  await Promise.all([first.extend(part(0, 4)), second.extend(part(4, 9))])
  await first.merge(second)
  assert.deepEqual(first.toBytes(), builder.toBytes())
  const file = join(mkdtempSync(join(tmpdir(), 'headwater-')), 'orders.json')
  await first.save(file)
  assert.deepEqual((await (await hw.load(file)).summary()).toRows(), whole.toRows())

  const before = first.toBytes()
  await assert.rejects(first.extend({ ...part(0, 2), customer: ['x', null] }), { code: 'HW_ROW' })
  await assert.rejects(first.extend(part(0, 2), { period: '1d' }), { code: 'HW_OPTION' })
  for (let i = 0; i < 50; i++) {
    await assert.rejects(first.extend(part(0, 2), { signal: AbortSignal.abort() }), { code: 'HW_CANCELLED' })
  }
  await assert.rejects(first.merge(new hw.clv.RfmBuilder()), { code: 'HW_OPTION' })
  assert.deepEqual(first.toBytes(), before)
  await assert.rejects(new hw.clv.RfmBuilder().summary(), { code: 'HW_NOT_ENOUGH_DATA' })
  assert.throws(() => new hw.clv.RfmBuilder({ grain: '0d' }), { code: 'HW_OPTION', option: 'grain' })
  assert.throws(() => new hw.clv.RfmBuilder({ perid: '7d' }), { code: 'HW_OPTION', option: 'perid' })
})

test('an extend that was stopped changed nothing, and one that was not says so', async () => {
  const builder = new hw.clv.RfmBuilder()
  let done = 0
  for (let i = 0; i < 200; i++) {
    const controller = new AbortController()
    const job = builder.extend(part(0, 2), { signal: controller.signal })
    if (i % 2) await new Promise((resolve) => setImmediate(resolve))
    controller.abort()
    await job.then(() => done++, (error) => assert.equal(error.code, 'HW_CANCELLED'))
    assert.equal(builder.orders, 2 * done)
  }
})

test('months, cohorts and their units', async () => {
  const rfm = await hw.clv.summarize(orders, { period: 'month', cohort: 'month', calibrationEnd: '2024-04-15' })
  const rows = rfm.toRows()
  assert.equal(rows[0].T, 3 + 10 / 30)
  assert.equal(rows[0].recency, 1 + 25 / 29)
  assert.equal(rows[2].cohort.toISOString(), '2024-02-01T00:00:00.000Z')
  const model = hw.clv.BetaGeo.fromParameters({ r: 0.3, alpha: 2, a: 0.8, b: 2.5 }, 'month')
  await model.predict(rfm, { periods: 2, period: 'month' })
  await assert.rejects(model.predict(rfm, { period: '30d' }), { code: 'HW_OPTION' })
  const check = await model.check(rfm, { cohort: 'cohort' })
  assert.deepEqual(check.extras.byCohort.toRows().map((row) => row.customers), [2, 1, 1])
  const tracked = await model.tracking(orders, { cohort: 'month' })
  const actual = tracked.extras.byCohort.toRows().reduce((sum, row) => sum + row.actual, 0)
  assert.equal(actual, tracked.toRows().at(-1).actual_cumulative)
})

test('a clock is fitted, counts and travels', async () => {
  const rows = []
  for (let who = 0; who < 60; who++) {
    for (let day = 19723 + who; day < 19723 + 365; day++) {
      const every = [0, 10, 11].includes(Math.floor((day - 19723) / 31)) ? 2 : 6
      if ((day * 7 + who * 13) % every === 0 && (day + who) % (3 + (who % 5)) === 0) rows.push([who, day * 86400])
    }
  }
  const frame = { customer: rows.map((r) => r[0]), time: rows.map((r) => r[1]) }
  const summarize = { period: '7d', value: null, timeUnit: 's' }
  const clock = await new hw.clv.SeasonalClock({ seasons: 'quarter' }).fit(frame, { summarize })
  assert.ok(clock instanceof hw.clv.SeasonalClock)
  const speed = clock.table().toRows().map((row) => row.speed)
  assert.ok(speed.length === 4 && speed[3] > speed[1])
  assert.equal(clock.fitTable().toRows()[0].model, 'BetaGeo')
  const back = await hw.load(clock.toBytes())
  assert.ok(back instanceof hw.clv.SeasonalClock)
  assert.deepEqual(back.table().toRows(), clock.table().toRows())
  const plain = (await hw.clv.summarize(frame, summarize)).toRows()
  const by = (await hw.clv.summarize(frame, { ...summarize, clock: back })).toRows()
  assert.notEqual(by[0].T, plain[0].T)
  const builder = new hw.clv.RfmBuilder({ ...summarize, clock })
  await builder.extend(frame)
  assert.deepEqual((await builder.summary()).toRows(), by)
  const one = hw.clv.SeasonalClock.withSpeeds({ speeds: Array(12).fill(1), period: '7d' })
  assert.equal(one.span(new Date('2024-12-31'), 2), 2)
  assert.notEqual(clock.span('2024-12-31', 2), 2)
  assert.deepEqual((await hw.clv.summarize(frame, { ...summarize, clock: one })).toRows(), plain)
  await assert.rejects(hw.clv.summarize(frame, { ...summarize, period: '1d', clock }), { code: 'HW_OPTION', option: 'period' })
  assert.throws(() => new hw.clv.SeasonalClock({ seasons: 'moon' }), { code: 'HW_OPTION', option: 'seasons' })
  assert.throws(() => new hw.clv.SeasonalClock().span('2024-01-01', 1), { code: 'HW_OPTION' })
})
