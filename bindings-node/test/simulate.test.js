'use strict'
const assert = require('node:assert/strict')
const { test } = require('node:test')
const hw = require('../index.js')

test('a stream gives the market that one call gives', async () => {
  const options = { people: 5000, days: 60, seed: 9 }
  const whole = await hw.simulate.market(options)
  let [events, orders, batches, last] = [0, 0, 0]
  for await (const batch of hw.simulate.batches({ ...options, batchPeople: 1024 })) {
    events += batch.events.rows
    orders += batch.orders.rows
    batches++
    last = batch
  }
  assert.equal(batches, 5)
  assert.deepEqual([events, orders], [whole.events.rows, whole.orders.rows])
  assert.deepEqual(last.totals.toRows(), whole.totals.toRows())
  assert.equal(+last.end, +whole.end)
})

test('a stream can be left, and stopped', async () => {
  for await (const batch of hw.simulate.batches({ people: 50_000, days: 30, batchPeople: 1024 })) {
    assert.ok(batch.events.rows > 0)
    break
  }
  const controller = new AbortController()
  await assert.rejects(
    (async () => {
      for await (const _ of hw.simulate.batches({ people: 1_000_000, days: 60, signal: controller.signal })) controller.abort()
    })(),
    { name: 'AbortError', code: 'HW_CANCELLED' },
  )
  await assert.rejects(hw.simulate.batches({ people: -1 }).next(), { code: 'HW_OPTION' })
})

test('presets, lift tests and scores', async () => {
  const named = hw.simulate.presets().column('name')
  assert.ok(named.includes('retargeting'))
  const options = { preset: 'plain', people: 3000, seed: 2 }
  const market = await hw.simulate.market(options)
  assert.equal(market.truthEvents.rows, market.events.rows)
  const lost = Object.fromEntries(market.channels.toRows().map((row) => [row.channel, row.lost_conversions]))
  const without = await hw.simulate.market({ ...options, off: ['social'] })
  assert.equal(market.orders.rows - without.orders.rows, lost.social)

  const start = new Date('2025-02-01')
  const lift = (await hw.simulate.liftTest([{ channel: 'social' }, { channel: 'video', start, heldOut: 0.3 }], options)).toRows()
  assert.equal(lift[0].true_effect, lost.social)
  assert.equal(+lift[1].start, +start)
  assert.ok(Math.abs(lift[0].effect - lift[0].true_effect) < 4 * lift[0].standard_error)
  await assert.rejects(hw.simulate.liftTest([{ channel: 'radio' }], options), { code: 'HW_OPTION' })

  const customer = (frame, people) => ({ ...frame.columns(), time: frame.toRows().map((row) => row.time), customer: people.column('person') })
  const journeys = await hw.Journeys.fromEvents(customer(market.events, market.truthEvents), {
    conversions: customer(market.orders, market.truthOrders),
  })
  const scores = await hw.simulate.score(await hw.attribute(journeys, ['last', 'linear']), market.channels)
  assert.equal(scores.rows, 2 * market.channels.rows)
  const models = scores.extras.models.toRows()
  assert.deepEqual(models.map((row) => row.model), ['last', 'linear'])
  assert.ok(models.every((row) => row.weighted_mape > 0 && row.over_credit > 0 && row.coverage === null))
})
