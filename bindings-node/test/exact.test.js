'use strict'
// Removals, games and orders by name: what a caller of Node sees.
const assert = require('node:assert/strict')
const { test } = require('node:test')
const hw = require('../index.js')

const TOY = {
  path: ['A > B > C', 'A > B', 'B > C', 'C', 'A > A > C'],
  conversions: [10, 5, 8, 4, 3],
  nulls: [20, 45, 32, 36, 17],
  value: [1000, 400, 960, 200, 330],
}
const toy = () => hw.Journeys.fromPaths(TOY, { value: 'value', nulls: 'nulls' })
const near = (found, exact) => {
  assert.equal(found.length, exact.length)
  found.forEach((x, i) => assert.ok(Math.abs(x - exact[i]) < 1e-12, `${found} is not ${exact}`))
}

test('removals have names, and several channels go at once', async () => {
  const journeys = await toy()
  for (const [removal, exact] of [
    ['null', [7 / 13, 8 / 13, 5 / 6]],
    ['reconnect', [-1 / 26, -2 / 13, 2 / 5]],
    ['skip', [0, 0, -4 / 35]],
    ['fail', [3 / 5, 23 / 30, 5 / 6]],
    ['fail_refit', [3 / 5, 23 / 30, 11 / 14]],
  ]) {
    const model = await new hw.Markov({ removal }).fit(journeys)
    near(model.removalEffects, exact)
    const again = await hw.load(model.toBytes())
    assert.deepEqual(again.removalEffects, model.removalEffects)
  }
  assert.throws(() => new hw.Markov({ removal: 'delete' }), { code: 'HW_OPTION' })
  const model = await new hw.Markov({ order: 2, split: 'journey', negative: 'keep' }).fit(journeys)
  const joint = model.jointEffects({ sets: [['A', 'B']], sequences: [['B', 'C']] })
  assert.deepEqual([...joint.column('channels')], ['A + B', 'B > C'])
  const states = model.states()
  assert.deepEqual([...states.extras.channels.column('channel')], ['A', 'B', 'C'])
  assert.throws(() => model.jointEffects({ sets: [['Z']] }), { code: 'HW_OPTION' })
})

test('worths have names', async () => {
  const journeys = await toy()
  for (const [worth, exact] of [
    ['conversions', [22 / 3, 59 / 6, 77 / 6]],
    ['rate', [1 / 40, 1 / 24, 1 / 10]],
    ['exact_set_rate', [5 / 72, 17 / 180, 61 / 360]],
    ['exact_set_conversions', [4 / 3, 23 / 6, 29 / 6]],
    ['journey_rate', [61 / 12, 22 / 3, 211 / 12]],
  ]) {
    const model = await new hw.Shapley({ worth }).fit(journeys)
    near(model.shapleyValues, exact)
    const again = await hw.load(model.toBytes())
    assert.ok(again instanceof hw.Shapley)
    near(again.score(['A', 'A', 'C']), model.score(['A', 'A', 'C']))
    const credit = await hw.attribute(journeys, [model])
    near([[...credit.column('conversions')].reduce((a, b) => a + b)], [30])
  }
  const model = await new hw.Shapley().fit(journeys)
  assert.equal(model.positions().rows, 7)
  assert.deepEqual([...model.dividends({ top: 1 }).column('channels')], ['A + B + C'])
  assert.equal(model.synergies().rows, 3)
  assert.deepEqual(new hw.Shapley().score(['A', 'A', 'C']), [0.25, 0.25, 0.5])
  assert.throws(() => new hw.Shapley({ worth: 'rate' }).score(['A']), { name: 'HeadwaterError' })
  assert.throws(() => new hw.Shapley({ worth: 'table' }), { code: 'HW_OPTION' })
})

test('orders are compared', async () => {
  const journeys = await toy()
  const found = await hw.chooseOrder(journeys, { maxOrder: 3, seed: 5 })
  assert.deepEqual([...found.column('order')].map(Number), [1, 2, 3])
  assert.equal([...found.column('chosen')].filter(Boolean).length, 1)
  await assert.rejects(hw.chooseOrder(journeys, { folds: 1 }), { code: 'HW_OPTION' })
})
