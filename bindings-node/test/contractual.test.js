'use strict'
// Survival, retention and finance: models that are kept, and clear errors.
const assert = require('node:assert/strict')
const { test } = require('node:test')
const hw = require('../index.js')

const contracts = () => ({
  customer: ['ann', 'bob', 'cyd', 'dan', 'eve', 'fay', 'gus', 'hal'],
  duration: Float64Array.of(2, 3, 5, 6, 6, 7, 9, 12),
  event: [true, true, true, false, true, false, true, false],
  price: Float64Array.of(30, 20, 30, 10, 20, 30, 10, 20),
  plan: ['basic', 'basic', 'plus', 'plus', 'basic', 'plus', 'basic', 'plus'],
})
const cohorts = () => ({ period: [0, 1, 2, 3, 4], customers: Float64Array.of(1000, 869, 743, 653, 593) })
const discount = { rate: 0.1, per: '365d' }
const orders = () => ({
  customer: ['a', 'a', 'b', 'c', 'c'],
  time: ['2024-01-05', '2024-02-03', '2024-01-09', '2024-02-11', '2024-03-31'],
  value: Float64Array.of(40, 25, 30, 50, 20),
})

const MODELS = {
  Cox: [{ ties: 'breslow', penalty: 0.1, references: { plan: 'plus' } }, contracts, { covariates: ['price', 'plan'] }],
  DiscreteHazard: [{ link: 'cloglog', baseline: 'constant' }, contracts, { covariates: ['price'] }],
  Aft: [{ distribution: 'log_normal' }, contracts, { covariates: ['price'] }],
  ZeroInflatedLognormal: [{ penalty: [0.5, 1, 2], target: 'price' }, () => ({ ...contracts(), price: Float64Array.of(30, 0, 31, 10, 0, 30, 12, 22) }), { covariates: ['duration', 'plan'] }],
  ShiftedBetaGeo: [{ period: '365d' }, cohorts, {}],
  BetaDiscreteWeibull: [{}, cohorts, { period: '365d' }],
}

for (const [name, [given, frame, options]] of Object.entries(MODELS)) {
  test(`${name} is fitted, and loaded as its class`, async () => {
    const model = new hw.clv[name](given)
    assert.throws(() => model.params, { code: 'HW_OPTION', message: /fit/ })
    await assert.rejects(model.summary(), { code: 'HW_OPTION' })
    assert.equal(await model.fit(frame(), options), model)
    const again = await hw.load(model.toBytes())
    assert.ok(again instanceof hw.clv[name])
    assert.deepEqual(again.params, model.params)
    assert.deepEqual(again.standardErrors, model.standardErrors)
    assert.equal(again.logLikelihood, model.logLikelihood)
    assert.equal(again.verdict, 'interior')
    assert.deepEqual((await again.summary()).columns(), (await model.summary()).columns())
    assert.equal(model.dropped().rows, 0)
  })

  test(`${name} names what is wrong`, async () => {
    const column = 'duration' in frame() ? 'duration' : 'customers'
    const fit = (changed, more) => new hw.clv[name](given).fit({ ...frame(), ...changed }, { ...options, ...more })
    const { [column]: values, ...without } = frame()
    await assert.rejects(new hw.clv[name](given).fit(without, options), { code: 'HW_COLUMN', column })
    await assert.rejects(fit({ [column]: values.map((value, row) => (row === 2 ? NaN : value)) }), { code: 'HW_ROW', column, row: 2 })
    const empty = Object.fromEntries(Object.keys(frame()).map((key) => [key, []]))
    await assert.rejects(fit(empty), (error) => ['HW_NOT_ENOUGH_DATA', 'HW_COLUMN'].includes(error.code))
    await assert.rejects(fit({}, { durations: 'duration' }), { code: 'HW_OPTION', option: 'durations' })
    assert.throws(() => new hw.clv[name]({ penality: 1 }), { code: 'HW_OPTION', option: 'penality' })
  })
}

const REPORTS = {
  kaplanMeier: [contracts, 'duration', {}],
  nelsonAalen: [contracts, 'duration', {}],
  survivalScores: [contracts, 'price', { risk: 'price' }],
  customerEquity: [() => ({ customer: ['a', 'b'], value: Float64Array.of(30, 10) }), 'value', {}],
  historicValue: [orders, 'value', {}],
  cohorts: [orders, 'value', {}],
  chainLadder: [() => ({ cohort: ['a', 'a', 'b'], age: [0, 1, 0], value: Float64Array.of(9, 5, 8) }), 'value', {}],
  chainLadderOrders: [orders, 'value', { keepIncomplete: true }],
  markovValue: [
    () => ({ from: ['in', 'in', 'out_of'], to: ['in', 'out_of', 'out_of'], probability: Float64Array.of(0.7, 0.3, 1) }),
    'probability',
    { rewards: { in: 5, out_of: -1 }, period: '30d', discount },
  ],
  markovFromOrders: [orders, 'value', { states: 2, discount }],
}

for (const [name, [frame, column, options]] of Object.entries(REPORTS)) {
  test(`${name} gives a frame, or names what is wrong`, async () => {
    const ask = hw.clv[name]
    assert.ok((await ask(frame(), options)).rows > 0)
    const { [column]: values, ...without } = frame()
    await assert.rejects(ask(without, options), { code: 'HW_COLUMN', column })
    const last = values.length - 1
    const holed = { ...frame(), [column]: values.map((value, row) => (row === last ? NaN : value)) }
    await assert.rejects(ask(holed, options), { code: 'HW_ROW', column, row: last })
    await assert.rejects(ask(frame(), { ...options, onInvalid: 'ignore' }), { code: 'HW_OPTION' })
    await assert.rejects(ask(frame(), { ...options, durations: 'duration' }), { code: 'HW_OPTION', option: 'durations' })
    await assert.rejects(ask(undefined, options), { code: 'HW_OPTION', option: 'frame' })
    const empty = Object.fromEntries(Object.keys(frame()).map((key) => [key, []]))
    if (name === 'customerEquity') assert.deepEqual((await ask(empty)).column('total'), Float64Array.of(0))
    else await assert.rejects(ask(empty, options), (error) => ['HW_NOT_ENOUGH_DATA', 'HW_COLUMN'].includes(error.code))
  })
}

test('units are not guessed', async () => {
  const year = { retention: { rate: 0.65, per: '365d' }, discount }
  await assert.rejects(hw.clv.simpleValue({ margin: 9, ...year }), { code: 'HW_OPTION' })
  const upkeep = { amount: 1, per: '365d' }
  await assert.rejects(hw.clv.simpleValue({ margin: { amount: 9, per: '30d' }, upkeep, ...year }), { code: 'HW_OPTION', option: 'upkeep' })
  await assert.rejects(hw.clv.simpleValue(), { code: 'HW_OPTION', option: 'margin' })
})

test('contracts and payments are by the month', async () => {
  const yearly = { rate: 0.1, per: 'year' }
  const model = await new hw.clv.ShiftedBetaGeo({ period: 'month' }).fit(cohorts())
  const given = hw.clv.ShiftedBetaGeo.fromParameters(model.params, 'month')
  const value = async (model) => (await model.value({ discount: yearly })).column('value')
  assert.deepEqual(await value(given), await value(model))
  const terms = { margin: { amount: 9, per: 'month' }, retention: { rate: 0.65, per: 'year' }, discount: yearly }
  const factor = (0.65 / 1.1) ** (1 / 12)
  const found = (await hw.clv.simpleValue({ ...terms, horizon: '24 months' })).column('clv')[0]
  assert.ok(Math.abs((found / 9) * (1 - factor) / (1 - factor ** 24) - 1) < 1e-12)
  await assert.rejects(hw.clv.simpleValue({ ...terms, horizon: '365d' }), { code: 'HW_OPTION', option: 'horizon' })
  const steps = { from: ['in'], to: ['in'], probability: [0.5] }
  const chain = { rewards: { in: 1 }, period: 'month', discount: { rate: 0, per: 'year' }, remainder: 'leave' }
  assert.deepEqual((await hw.clv.markovValue(steps, chain)).column('value'), Float64Array.of(2))
  const named = { code: 'HW_OPTION', option: 'payments', message: /`start` or `end`/ }
  await assert.rejects(hw.clv.simpleValue({ ...terms, payments: true }), named)
})

test('labels of the caller are left as they are', async () => {
  const frame = { from: ['lateOne'], to: ['lateOne'], probability: [0.5] }
  const options = { rewards: { lateOne: 1 }, period: '30d', discount: { rate: 0, per: '365d' }, remainder: 'leave' }
  assert.deepEqual((await hw.clv.markovValue(frame, options)).column('value'), Float64Array.of(2))
  const { price: newPrice, ...rest } = contracts()
  const model = await new hw.clv.Cox({ penalty: 0.1 }).fit({ ...rest, newPlan: rest.plan, newPrice }, {
    covariates: ['newPlan'], references: { newPlan: 'plus' },
  })
  assert.deepEqual(Object.keys(model.params), ['newPlan[basic]'])
})

const plans = () => ({
  planType: [...Array(4).fill('basic'), ...Array(4).fill('plus')],
  duration: Float64Array.of(1, 2, 3, 3, 1, 2, 3, 3),
  event: [true, true, true, false, true, true, true, false],
  n: Float64Array.of(369, 163, 86, 382, 131, 126, 90, 653),
})

test('covariates of contracts are two fits', async () => {
  const how = { data: 'customers', weight: 'n', period: '365d' }
  const covariates = { alpha: ['planType'], beta: ['planType'], references: { planType: 'plus' } }
  const model = await new hw.clv.ShiftedBetaGeo(how).fit(plans(), { covariates })
  assert.deepEqual(Object.keys(model.params), ['alpha', 'beta', 'alpha:planType[basic]', 'beta:planType[basic]'])
  const coefficients = (await model.coefficients()).toRows()
  assert.deepEqual(coefficients.map((row) => row.on), ['alpha', 'beta'])
  let total = 0
  for (const [planType, from] of [['basic', 0], ['plus', 4]]) {
    const own = Object.fromEntries(Object.entries(plans()).map(([name, values]) => [name, values.slice(from, from + 4)]))
    const one = await new hw.clv.ShiftedBetaGeo(how).fit(own)
    total += one.logLikelihood
    const [mine, other] = [await model.survival({ periods: 6, at: { planType } }), await one.survival({ periods: 6 })]
    other.column('survival').forEach((share, t) => assert.ok(Math.abs(mine.column('survival')[t] - share) < 1e-6))
    const who = { customer: ['ann'], renewals: [2], planType: [planType] }
    const [ahead, alone] = [await model.predict(who), await one.predict(who)]
    assert.ok(Math.abs(ahead.column('churn')[0] - alone.column('churn')[0]) < 1e-6)
    assert.ok((await model.value({ discount, at: { planType } })).column('value')[0] > 1)
  }
  assert.ok(Math.abs(model.logLikelihood - total) < 1e-7)
  assert.deepEqual([model.verdict, model.effectsVerdict], ['interior', 'interior'])
  assert.equal((await new hw.clv.ShiftedBetaGeo().fit(cohorts())).effectsVerdict, null)
  const fit = (given, frame = plans()) => new hw.clv.ShiftedBetaGeo(how).fit(frame, given)
  await assert.rejects(fit({ data: 'cohorts', weight: undefined, covariates }, cohorts()), { code: 'HW_OPTION' })
  await assert.rejects(fit({ covariates: { purchase: ['planType'] } }), { code: 'HW_OPTION' })
  await assert.rejects(model.survival({ at: { planType: 'gold' } }), { code: 'HW_ROW' })
  await assert.rejects(model.survival({ at: { planType: 'plus', price: 3 } }), { code: 'HW_OPTION', option: 'at' })
  await assert.rejects((await fit({})).coefficients(), { code: 'HW_OPTION' })
})
