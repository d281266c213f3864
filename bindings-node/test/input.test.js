'use strict'
// Bad input: one clear error or a right answer, and the process lives on.
const assert = require('node:assert/strict')
const { test } = require('node:test')
const { mkdtempSync, readFileSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const hw = require('../index.js')

const orders = () => ({
  customer: ['a', 'b', 'a', 'c'],
  time: ['2024-01-05', '2023-06-01', '2024-02-01', '2023-12-24'],
  value: [20, 5, 30, 12.5],
})
const without = (name, data) => ({ ...orders(), [name]: data })

test('a wrong name or a wrong type names the column', async () => {
  for (const [frame, column] of [
    [{ customer: ['a'], value: [1] }, 'time'],
    [without('value', ['x', 'y', 'z', 'w']), 'value'],
    [without('time', [true, false, true, true]), 'time'],
    [without('customer', [1.5, 2.5, 3.5, 4.5]), 'customer'],
    [without('value', [1, 2, 3]), 'value'],
    [without('value', 'abc'), 'value'],
    [without('value', [1, 'x', 2, 3]), 'value'],
    [without('value', [{}, {}, {}, {}]), 'value'],
    [without('value', [2n ** 70n, 1n, 1n, 1n]), 'value'],
    [without('value', BigUint64Array.of(1n, 1n, 1n, 2n ** 63n)), 'value'],
  ]) {
    await assert.rejects(hw.segment.rfm(frame), (error) => {
      assert.ok(['HW_COLUMN', 'HW_ROW'].includes(error.code), `${error.code}: ${error.message}`)
      assert.equal(error.column, column, error.message)
      return true
    })
  }
})

test('what is no frame is an error', async () => {
  for (const frame of [null, undefined, 5, 'orders', () => 1, new Float64Array(3), [1, 2], [null], new Uint8Array(0), new Uint8Array(100).fill(7), Buffer.from('ARROW1 no')]) {
    await assert.rejects(hw.segment.rfm(frame), { code: 'HW_COLUMN' })
  }
})

test('nulls, NaN, infinities and negative amounts name the row, or are dropped and counted', async () => {
  for (const [name, bad] of [['customer', null], ['time', null], ['value', null], ['value', NaN], ['value', Infinity], ['value', -1]]) {
    const frame = orders()
    frame[name][2] = bad
    await assert.rejects(hw.segment.rfm(frame), (error) => {
      assert.equal(error.code, 'HW_ROW')
      assert.equal(error.column, name)
      assert.equal(error.row, 2)
      assert.match(error.message, /onInvalid: "drop"/)
      return true
    })
    const kept = await hw.segment.rfm(frame, { onInvalid: 'drop' })
    assert.equal(kept.rows, 3)
    assert.equal(kept.dropped.toRows()[0].count, 1)
    assert.equal(kept.dropped.toRows()[0].first_row, 2)
  }
  await assert.rejects(hw.segment.rfm(without('time', [new Date('2024-01-01'), new Date(NaN), new Date(0), new Date(1)])), { code: 'HW_ROW' })
})

test('an empty frame, and one row', async () => {
  const empty = { customer: [], time: [], value: [] }
  await assert.rejects(hw.segment.rfm(empty), { code: 'HW_NOT_ENOUGH_DATA' })
  await assert.rejects(hw.clv.summarize([]), { code: 'HW_COLUMN' })
  assert.equal((await hw.Journeys.fromEvents({ customer: [], time: [], channel: [] })).size, 0)
  assert.equal((await hw.stitch({ cookie: [] }, { identifiers: ['cookie'] })).customerCount, 0)
  const one = { customer: ['a'], time: ['2024-01-01'], value: [1], channel: ['tv'] }
  assert.equal((await hw.segment.rfm(one)).rows, 1)
  const rfm = await hw.clv.summarize(one)
  assert.equal(rfm.rows, 1)
  await assert.rejects(new hw.clv.BetaGeo().fit(rfm), { code: 'HW_NOT_ENOUGH_DATA' })
  const journeys = await hw.Journeys.fromEvents(one, { conversions: one, value: 'value' })
  assert.equal((await hw.attribute(journeys, ['linear', 'markov'])).rows, 2)
})

test('a million identical rows', async () => {
  const n = 1_000_000
  const frame = { customer: new Int32Array(n).fill(7), time: new Float64Array(0), value: new Float64Array(n).fill(2) }
  frame.time = new BigInt64Array(n).fill(1_700_000_000_000n)
  frame.channel = frame.customer
  const rfm = await hw.segment.rfm(frame, { timeUnit: 'ms' })
  assert.equal(rfm.rows, 1)
  assert.equal(rfm.column('monetary')[0], 2 * n)
  assert.equal(rfm.column('customer')[0], 7)
  assert.equal((await hw.stitch({ cookie: frame.customer }, { identifiers: ['cookie'] })).customerCount, 1)
  const summary = await (await hw.Journeys.fromEvents(frame, { timeUnit: 'ms' })).summary()
  assert.equal(summary.toRows()[0].touches, n)
})

test('unsorted and duplicate times, and a customer with 100,000 touches', async () => {
  const n = 100_000
  const time = Float64Array.from({ length: n }, (_, i) => 1_700_000_000_000 + ((i * 7919) % 1000) * 60_000)
  const touches = { customer: new Int32Array(n), time: Array.from(time, (ms) => new Date(ms)), channel: Array.from(time, (_, i) => 'abc'[i % 3]) }
  const conversions = { customer: [0], time: [new Date(1_700_000_000_000 + 1_000_000_000)], value: [90] }
  const journeys = await hw.Journeys.fromEvents(touches, { conversions, value: 'value' })
  const credit = await hw.attribute(journeys, ['linear', new hw.TimeDecay({ halfLife: '1h' }), 'shapley', new hw.Markov({ order: 2 })])
  for (const model of new Set(credit.column('model'))) {
    const value = credit.toRows().filter((row) => row.model === model).reduce((sum, row) => sum + row.value, 0)
    assert.ok(Math.abs(value - 90) < 1e-6, `${model}: ${value}`)
  }
})

test('inputs are copied before the call returns', async () => {
  const n = 200_000
  const frame = { x: Float64Array.from({ length: n }, (_, i) => i % 7), y: Float64Array.from({ length: n }, (_, i) => i % 11) }
  const fit = () => new hw.segment.KMeans({ k: 4, features: ['x', 'y'] }).fit(frame)
  const wanted = (await fit()).centers
  const running = fit()
  frame.x.fill(99)
  frame.y.fill(-99)
  assert.deepEqual((await running).centers, wanted)
})

test('names survive: integers, big integers, Unicode', async () => {
  const ask = async (customer) => (await hw.segment.rfm({ ...orders(), customer })).column('customer')
  assert.deepEqual(await ask([3, 1, 3, 2]), Float64Array.of(3, 1, 2))
  const big = 2n ** 60n + 1n
  assert.deepEqual(await ask([big, 1n, big, 2n]), BigInt64Array.of(big, 1n, 2n))
  const names = ['日本', '𝄞 clef', '日本', "o'brien\0x"]
  assert.deepEqual(await ask(names), ['日本', '𝄞 clef', "o'brien\0x"])
})

test('a damaged model file is an error, and the process lives on', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'headwater-'))
  const model = hw.clv.BetaGeo.fromParameters({ r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 }, '7d')
  const path = join(folder, 'clv.json')
  await model.save(path)
  const again = await hw.load(path)
  assert.ok(again instanceof hw.clv.BetaGeo)
  assert.deepEqual(again.params, model.params)
  const good = readFileSync(path)
  for (let cut = 0; cut < good.length; cut += 17) await assert.rejects(hw.load(good.subarray(0, cut)), { code: 'HW_MODEL_FILE' })
  for (let at = 0; at < good.length; at += 13) {
    const bad = Buffer.from(good)
    bad[at] ^= 0x15
    await hw.load(bad).then((loaded) => assert.deepEqual(loaded.params, model.params), (error) => assert.equal(error.code, 'HW_MODEL_FILE'))
  }
  writeFileSync(path, '{}')
  await assert.rejects(hw.load(path), { code: 'HW_MODEL_FILE' })
  await assert.rejects(hw.load(join(folder, 'none.json')), { code: 'HW_IO' })
  await assert.rejects(model.save(join(folder, 'no', 'such', 'folder.json')), { code: 'HW_IO' })
})

test('a model that is not fitted says so', async () => {
  const model = new hw.clv.BetaGeo()
  assert.throws(() => model.params, { code: 'HW_OPTION', message: /fit/ })
  await assert.rejects(model.predict(orders()), { code: 'HW_OPTION' })
  await assert.rejects(model.save('/tmp/never.json'), { code: 'HW_OPTION' })
  assert.throws(() => new hw.clv.BetaGeo({ penality: 1 }), { code: 'HW_OPTION', option: 'penality' })
  assert.throws(() => new hw.segment.KMeans({ K: 3 }), { code: 'HW_OPTION' })
  assert.throws(() => new hw.IdentityGraph({ namespaces: [{ name: 'email', limit: 0 }] }), { code: 'HW_OPTION' })
  assert.throws(() => new hw.IdentityGraph().observe({ email: 'a@x.org' }, { time: 'yesterday' }), { code: 'HW_OPTION' })
})
