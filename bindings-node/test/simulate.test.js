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
