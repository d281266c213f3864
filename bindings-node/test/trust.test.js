'use strict'
// How far to trust credits: the face's own part; the numbers are in the shared vectors.
const assert = require('node:assert/strict')
const { test } = require('node:test')
const hw = require('../index.js')

const journeys = () =>
  hw.Journeys.fromPaths(
    { path: ['a > b', 'b', 'a > a > b', 'c'], conversions: [4, 2, 3, 1], nulls: [6, 8, 3, 9], value: [40, 10, 30, 5] },
    { value: 'value', nulls: 'nulls' },
  )
const close = (found, wanted) => found.forEach((x, i) => assert.ok(Math.abs(x - wanted[i]) < 1e-9, `${found} ${wanted}`))

test('a bootstrap gives bounds, the same for the same seed', async () => {
  const made = await journeys()
  const credits = (seed) => hw.attribute(made, ['last', new hw.Markov()], { bootstrap: 50, seed })
  const [one, again, other] = [await credits(3), await credits(3), await credits(4)]
  assert.deepEqual(one.column('conversions_low'), again.column('conversions_low'))
  assert.notDeepEqual(one.column('share_high'), other.column('share_high'))
  await assert.rejects(hw.attribute(made, 'last', { bootstrap: 1 }), { code: 'HW_OPTION' })
})

test('reports of models and credits of segments have intervals', async () => {
  const made = await journeys()
  const chain = (options) => hw.bootstrap(made, new hw.Markov(), 'transitions', { bootstrap: 50, seed: 3, ...options })
  const found = await chain()
  assert.deepEqual(found.column('count_low'), (await chain({ threads: 1 })).column('count_low'))
  assert.notDeepEqual(found.column('count_low'), (await chain({ seed: 4 })).column('count_low'))
  const plain = (await new hw.Markov().fit(made)).transitions()
  assert.deepEqual(found.column('probability'), plain.column('probability'))
  assert.ok(found.column('probability_standard_error').some((x) => x > 0))
  const states = await hw.bootstrap(made, 'markov', 'states', { bootstrap: 20 })
  assert.ok(states.extras.channels.column('conversion_share_high'))
  const joint = await hw.bootstrap(made, 'markov', 'joint_effects', { sets: [['a', 'b']], bootstrap: 20 })
  assert.deepEqual(joint.column('channels'), ['a + b'])
  const credits = await hw.attribute(made, 'markov', { bootstrap: 20 })
  assert.ok(credits.extras.removalEffects.column('removal_effect_standard_error'))
  await assert.rejects(hw.bootstrap(made, 'markov', 'values'), { code: 'HW_OPTION' })
  await assert.rejects(hw.bootstrap(made, 'markov', 'states', { top: 3 }), { code: 'HW_OPTION', message: /top/ })
  const touches = { customer: ['ann', 'ann', 'bob'], time: ['2024-01-01', '2024-01-04', '2024-01-02'], channel: ['a', 'b', 'a'] }
  const conversions = { customer: ['ann', 'bob'], time: ['2024-01-05', '2024-01-10'] }
  const events = await hw.Journeys.fromEvents(touches, { conversions })
  const segments = { customer: ['ann', 'bob'], segment: ['x', 'y'] }
  const mixed = await hw.segmented(events, 'markov', segments, { customers: true, bootstrap: 20 })
  assert.ok(mixed.extras.customers.column('conversions_high'))
  assert.ok(mixed.column('conversions_standard_error'))
  assert.ok(mixed.extras.effects.column('share_high'))
  assert.ok(mixed.extras.shrinkage.column('variance_ratio_low'))
})

test('every report names models that know no weights', async () => {
  const touches = { customer: ['ann', 'ann'], time: ['2024-01-01', '2024-01-02'], channel: ['a', 'b'], weight: [1, 0] }
  const conversions = { customer: ['ann'], time: ['2024-01-03'] }
  const weighted = await hw.Journeys.fromEvents(touches, { conversions, weight: 'weight' })
  const money = await hw.money(weighted, ['linear', 'markov'], { spend: { channel: ['a'], spend: [2] } })
  assert.deepEqual(money.extras.ignoredWeights.toRows(), [{ model: 'markov', conversions: 1 }])
  assert.equal((await hw.money(weighted, 'linear', { spend: { channel: ['a'], spend: [2] } })).extras.ignoredWeights, undefined)
  const touched = await weighted.touchCredits('markov')
  assert.deepEqual(touched.extras.ignoredWeights.column('model'), ['markov'])
})

test('campaigns have the cost of their touches, and a separator that no channel holds', async () => {
  const touches = {
    customer: ['ann', 'ann', 'bob'],
    time: ['2024-01-01', '2024-01-04', '2024-01-02'],
    channel: ['google / cpc', 'mail', 'google / cpc'],
    campaign: ['brand', null, 'generic'],
    cost: [1, 0.5, 2],
  }
  const conversions = { customer: ['ann', 'bob'], time: ['2024-01-05', '2024-01-10'] }
  const made = await hw.Journeys.fromEvents(touches, { conversions, cost: 'cost', campaign: 'campaign' })
  await assert.rejects(made.byCampaign(), { code: 'HW_OPTION', message: /separator.*google \/ cpc/ })
  const fine = await made.byCampaign({ separator: '|' })
  const credit = await hw.attribute(fine, 'linear', { bootstrap: 20 })
  assert.deepEqual(credit.column('channel'), ['google / cpc | brand', 'google / cpc | generic', 'mail'])
  close(credit.column('cost'), [1, 2, 0.5])
  const down = await hw.drillDown(credit, { separator: '|' })
  assert.deepEqual(down.column('conversions_low'), credit.column('conversions_low'))
  const levels = (model, options) => hw.attributeLevels(fine, model, { separator: '|', bootstrap: 20, ...options })
  const both = await levels('linear')
  assert.deepEqual(both.column('conversions'), down.column('conversions'))
  assert.ok(both.column('share_of_channel_high') && both.column('cpa_low'))
  const even = (path) => path.map(() => 1)
  const organic = { channels: { google: ['google / cpc | brand'] } }
  const [byHand, linear] = [await levels(even, organic), await levels('linear', organic)]
  assert.deepEqual(byHand.column('conversions_high'), linear.column('conversions_high'))
  assert.deepEqual(linear.column('channel'), ['google', 'google / cpc', 'mail'])
  close((await levels(even, { ownChannels: false })).column('conversions'), both.column('conversions'))
  await assert.rejects(levels('linear', { ownChanels: true }), { code: 'HW_OPTION' })
  await assert.rejects(hw.Journeys.fromEvents(touches, { value: 'cost' }), { code: 'HW_OPTION', message: /value/ })
})

test('reports of journeys have intervals', async () => {
  const made = await journeys()
  const assisted = (options) => made.bootstrap('assisted', { bootstrap: 50, seed: 3, ...options })
  const found = await assisted()
  assert.deepEqual(found.column('first_low'), (await assisted({ threads: 1 })).column('first_low'))
  assert.notDeepEqual(found.column('first_low'), (await assisted({ seed: 4 })).column('first_low'))
  assert.deepEqual(found.column('assisted'), (await made.assisted()).column('assisted'))
  const matrix = await made.bootstrap('stepMatrix', { steps: 2, bootstrap: 20 })
  assert.ok(matrix.column('share_high'))
  const graph = await made.bootstrap('graph', { minShare: 0.1, bootstrap: 20 })
  assert.ok(graph.column('p_out_standard_error') && graph.extras.nodes.column('starts_low'))
  assert.equal((await made.bootstrap('patterns', { patterns: 'a -> b', bootstrap: 20 })).toRows().length, 1)
  await assert.rejects(made.bootstrap('assisted', { asist: 'not_last' }), { code: 'HW_OPTION', message: /asist/ })
  await assert.rejects(made.bootstrap('features'), { code: 'HW_OPTION' })
  await assert.rejects(made.bootstrap('paths', { bootstrap: 0 }), { code: 'HW_OPTION', message: /bootstrap/ })
})

test('held-out scores and money by period have intervals', async () => {
  const made = await journeys()
  const scores = await hw.validate(made, ['markov', new hw.Logistic()], { folds: 2, bootstrap: 20 })
  assert.ok(scores.column('auc_low') && scores.extras.calibration.column('observed_high'))
  assert.equal(scores.extras.differences.toRows().length, 1)
  const compared = await hw.compare(made, ['markov', 'shapley'], { folds: 2, bootstrap: 20, interval: 'normal' })
  assert.ok(compared.column('total_variation_high') && compared.extras.predictions.column('log_loss_low'))
  const touches = { customer: ['ann', 'ann', 'bob'], time: ['2024-01-01', '2024-01-04', '2024-01-02'], channel: ['a', 'b', 'a'] }
  const conversions = { customer: ['ann', 'bob'], time: ['2024-01-05', '2024-01-10'] }
  const events = await hw.Journeys.fromEvents(touches, { conversions })
  const spend = { channel: ['a', 'b'], date: ['2024-01-01', '2024-01-05'], spend: [5, 7] }
  const weeks = await hw.money(events, 'linear', { spend, period: 'week', bootstrap: 20 })
  assert.ok(weeks.column('conversions_low') && weeks.column('cpa_high'))
})

test('weights by a function are those of the same rule as data', async () => {
  const made = await journeys()
  const seen = []
  const found = await hw.creditsByWeights(made, (path) => (seen.push(path.join()), path.map((c) => (c === 'a' ? 2 : 1))))
  assert.equal(seen.length, new Set(seen).size)
  const data = await hw.attribute(made, new hw.Custom({ channels: { a: 2 } }))
  close(found.column('conversions'), data.column('conversions'))
  await assert.rejects(hw.creditsByWeights(made, () => [1]), { code: 'HW_OPTION' })
  await assert.rejects(hw.creditsByWeights(made, async (path) => path.map(() => 1)), { code: 'HW_OPTION', message: /async/ })
  const fails = async () => { throw new Error('never unhandled') }
  await assert.rejects(hw.creditsByWeights(made, fails), { code: 'HW_OPTION', message: /async/ })
})

test('a function is a rule wherever models are taken', async () => {
  const made = await journeys()
  const seen = []
  const rising = (touches) => {
    seen.push(JSON.stringify(touches))
    return touches.map(({ channel, position }) => position * (channel === 'a' ? 2 : 1))
  }
  const data = new hw.Custom({ fromStart: [1, 2, 3, 4, 5, 6], channels: { a: 2 } })
  const call = (model) => hw.attribute(made, ['linear', model], { bootstrap: 20, seed: 3 })
  const [found, wanted] = [await call(rising), await call(data)]
  for (const name of ['conversions', 'conversions_low', 'share_high']) assert.deepEqual(found.column(name), wanted.column(name))
  assert.equal(seen.length, new Set(seen).size)
  assert.equal(JSON.parse(seen[0])[0].position, 1)
  const names = (await hw.attribute(made, [rising, (touches) => touches.map(() => 1)])).column('model')
  assert.deepEqual([...new Set(names)], ['callback(rising)', 'callback(function)'])
  assert.ok((await hw.drift(made, made, rising, { bootstrap: 20 })).column('change').every((x) => x === 0))
  assert.equal((await hw.compare(made, ['linear', rising])).rows, 1)
  assert.deepEqual((await made.touchCredits(rising)).column('conversions'), (await made.touchCredits(data)).column('conversions'))
})

test('a function that is no rule is named', async () => {
  const made = await journeys()
  const short = () => []
  const negative = (touches) => touches.map(() => -1)
  const late = async () => { throw new Error('never unhandled') }
  await assert.rejects(hw.attribute(made, short), { code: 'HW_OPTION', message: /short.*gave 0 weights/ })
  await assert.rejects(hw.attribute(made, [negative]), { code: 'HW_OPTION', message: /negative.*gave -1 to touch 1/ })
  await assert.rejects(hw.attribute(made, late), { code: 'HW_OPTION', message: /late.*async/ })
  await assert.rejects(async () => hw.attribute(made, hw.Markov), { code: 'HW_OPTION', message: /new Markov/ })
})

test('experiments, money, differences and drift', async () => {
  const made = await journeys()
  const liftTests = { channel: ['b'], effect: [4], standard_error: [0.5] }
  const calibrated = await hw.calibrate(made, 'last', { liftTests, untested: 'none' })
  close([calibrated.toRows().find((row) => row.channel === 'b').calibrated], [4])
  assert.ok(calibrated.extras.pooling)
  const spend = { channel: ['a', 'radio'], cost: [8, 1] }
  const money = await hw.money(made, 'first', { spend, amount: 'cost' })
  close([money.toRows().find((row) => row.channel === 'a').cpa], [8 / 7])
  const apart = await hw.difference(made, ['first', 'last'], { metric: 'conversions', bootstrap: 20 })
  assert.equal(apart.column('other_model')[0], 'last')
  const costs = await hw.difference(made, ['first', 'last'], { metric: 'cpa', bootstrap: 20, spend, amount: 'cost' })
  close([costs.toRows().find((row) => row.channel === 'a').credit], [8 / 7])
  const moved = await hw.drift(made, made, 'last', { bootstrap: 20 })
  assert.ok(moved.extras.alerts && moved.column('change').every((x) => x === 0))
  const compared = await hw.compare(made, ['first', 'last'], {
    truth: { channel: ['a', 'b'], brought: [1, 1] },
    trueCredit: 'brought',
  })
  assert.ok(compared.extras.errors)
})

test('each period is calibrated by its own lift tests', async () => {
  const touches = { customer: ['ann', 'bob', 'bob', 'cat'], time: ['2024-01-04', '2024-01-02', '2024-01-09', '2024-01-03'], channel: ['b', 'a', 'c', 'b'] }
  const conversions = { customer: ['ann', 'bob', 'cat'], time: ['2024-01-05', '2024-01-10', '2024-01-08'] }
  const all = await hw.Journeys.fromEvents(touches, { conversions })
  const [old, now] = [await all.between('2023-12-01', '2024-01-07'), await all.between('2024-01-07', '2024-02-01')]
  const liftTests = { channel: ['b', 'b'], effect: [0.5, 0.4], standard_error: [0.1, 0.2], start: ['2024-01-04', '2024-01-07'], end: ['2024-01-06', '2024-01-11'] }
  const options = { metric: 'conversions', bootstrap: 20, liftTests, calibration: { untested: 'none' } }
  const moved = await hw.drift(old, now, 'last', options)
  const row = moved.toRows().find(({ model, channel }) => model === 'calibrated(last)' && channel === 'b')
  close([row.old, row.new], [0.5, 0.4])
  const apart = await hw.difference(now, 'last', { other: old, ...options })
  assert.deepEqual(apart.column('low'), moved.column('low'))
  const one = Object.fromEntries(Object.entries(liftTests).map(([name, values]) => [name, values.slice(1)]))
  await assert.rejects(hw.drift(old, now, 'last', { ...options, liftTests: one }), { code: 'HW_NOT_ENOUGH_DATA' })
})

test('lifetime value, windows, and what touches add', async () => {
  const touches = { customer: ['ann', 'ann', 'bob', 'bob', 'cat'], time: ['2024-01-01', '2024-01-04', '2024-01-02', '2024-01-09', '2024-01-03'], channel: ['a', 'b', 'a', 'c', 'b'] }
  const conversions = { customer: ['ann', 'bob', 'cat'], time: ['2024-01-05', '2024-01-10', '2024-01-08'], value: [10, 20, 5] }
  const made = await hw.Journeys.fromEvents(touches, { conversions, value: 'value' })
  const lifetime = { customer: ['ann', 'bob', 'cat'], clv: [100, 50, 25] }
  const credits = await hw.attribute(made, 'last', { lifetime, lifetimeValue: 'clv', seed: 1 })
  assert.equal(credits.column('value').reduce((a, b) => a + b, 0), 175)
  const chosen = await hw.chooseLookback(made, { candidates: ['1d', '3d'], folds: 2 })
  assert.equal(chosen.column('chosen').filter(Boolean).length, 1)
  assert.ok(chosen.column('note').some(Boolean))
  await assert.rejects(hw.chooseHalfLife(made, { folds: 2, exclude: ['nobody'] }), { code: 'HW_OPTION' })
  assert.equal((await hw.chooseHalfLife(made, { folds: 2 })).column('candidate')[0], '12h')
  const added = await hw.selfControlled(made, { halfLives: ['2d'], wear: [0] })
  assert.ok(added.extras.profile)
  assert.deepEqual([...added.extras.priming.column('primer')], [])
  await assert.rejects(hw.selfControlled(made, { primingWindows: ['14d', '7d'] }), { code: 'HW_OPTION' })
})

test('calibrated models stand beside the others', async () => {
  const made = await journeys()
  const liftTests = { channel: ['a', 'b'], effect: [1, 3], standard_error: [0.2, 0.5] }
  const spend = { channel: ['a', 'b'], spend: [10, 20] }
  const known = await hw.calibrate(made, 'last', { liftTests, untested: 'none' })
  const table = await hw.money(made, 'last', { spend, liftTests, calibration: { untested: 'none' } })
  const mine = table.toRows().filter((row) => row.model === 'calibrated(last)')
  assert.deepEqual(mine.map((row) => row.conversions), [...known.column('calibrated')])
  assert.deepEqual(mine.map((row) => row.conversions_high), [...known.column('high')])
  assert.equal(mine[1].cpa, 20 / known.column('calibrated')[1])
  const compared = await hw.compare(made, ['last'], { liftTests, bootstrap: 20 })
  assert.deepEqual(compared.column('other_model'), ['calibrated(last)'])
  const given = (calibration) => hw.money(made, 'last', { spend, liftTests, calibration })
  await assert.rejects(given({ bootstrap: 9 }), { code: 'HW_OPTION', message: /calibration/ })
  await assert.rejects(hw.calibrate(made, 'last', {}), { code: 'HW_OPTION', message: /lift tests/ })
})

test('margin is the value of all reports', async () => {
  const made = await journeys()
  const total = (frame) => frame.column('value').reduce((sum, x) => sum + x, 0)
  const half = await made.withMargin({ rate: 0.5 })
  close([total(await hw.attribute(half, 'last'))], [42.5])
  const touches = { customer: ['ann', 'bob'], time: ['2024-01-01', '2024-01-02'], channel: ['a', 'b'] }
  const conversions = { customer: ['ann', 'bob'], time: ['2024-01-03', '2024-01-04'], value: [10, 5], event: ['buy', 'myPlan'] }
  const kinds = await hw.Journeys.fromEvents(touches, { conversions, value: 'value', conversionKind: 'event' })
  const left = await kinds.withMargin({ rate: 0.5, byKind: { myPlan: 0.8 } })
  close([total(await hw.attribute(left, 'last'))], [9])
  await assert.rejects(kinds.withMargin({ byKind: { gift: 1 } }), { code: 'HW_OPTION', message: /gift/ })
})

test('errors name what was given', async () => {
  const made = await journeys()
  const rule = (touches) => touches.map(() => 1)
  const option = (message) => ({ code: 'HW_OPTION', message })
  for (const model of [null, {}, 3]) {
    await assert.rejects(async () => hw.attribute(made, [model]), option(/linear/))
  }
  await assert.rejects(hw.bootstrap(made, 'markov', 'nothing'), option(/statistic.*removal_effects/s))
  await assert.rejects(hw.bootstrap(made, 'markov', 'values'), option(/statistic.*removal_effects/s))
  await assert.rejects(made.sequences({ minCount: -1 }), option(/must be 0 or more/))
  assert.throws(() => hw.validate(made, [rule]), option(/predicts nothing/))
  assert.throws(() => hw.segmented(made, rule, {}), option(/learns nothing/))
  const spend = { channel: ['a', 'b'], spend: [1.7e308, 1.7e308] }
  await assert.rejects(hw.money(made, 'last', { spend }), { code: 'HW_COLUMN', message: /larger unit/ })
  assert.deepEqual([...new Set((await hw.attribute(made, rule)).column('model'))], ['callback(rule)'])
  const chosen = await new hw.ShaoLi({ smoothing: null, penalties: [0.5, 50], folds: 2 }).fit(made)
  assert.equal(chosen.penalties().rows, 2)
})
