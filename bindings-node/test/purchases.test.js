'use strict'
const assert = require('node:assert')
const { readFileSync, rmSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const test = require('node:test')
const hw = require('..')

const rows = readFileSync(join(__dirname, '../../examples/data/cdnow.csv'), 'utf8').trim().split('\n').slice(1)
const cells = rows.map((row) => row.split(','))
const orders = {
  customer: cells.map((c) => c[0]),
  time: cells.map((c) => c[1]),
  value: Float64Array.from(cells, (c) => Number(c[3])),
}

for (const [name, options] of [
  ['BetaGeo'],
  ['ModifiedBetaGeo'],
  ['ParetoNBD'],
  ['BetaGeoCNBD', { k: 2 }],
  ['ModifiedBetaGeoCNBD', { k: 3 }],
  ['GGompertzNBD', { penalty: 0.01 }],
]) {
  test(`${name} fits, predicts and travels`, async () => {
    const rfm = await hw.clv.summarize(orders, { period: '7d', calibrationEnd: '1997-09-30' })
    const model = await new hw.clv[name](options).fit(rfm)
    assert.ok(model instanceof hw.clv[name])
    const found = await model.predict(rfm, { periods: 39, interval: 0.9, ahead: 26, discountRate: 0.003, rate: true })
    const [first] = found.toRows()
    assert.strictEqual(model.expectedPurchases(2, 213 / 7, 272 / 7, 39), first.expected_purchases)
    assert.ok(first.p_alive_ahead < first.p_alive && first.residual_purchases > 0)
    const mass = model.probabilities(2, 213 / 7, 272 / 7, 39, 400)
    assert.ok(Math.abs(mass.reduce((a, b) => a + b) - 1) < 1e-9)
    const file = join(tmpdir(), `headwater-${process.pid}-${name}.json`)
    await model.save(file)
    const again = await hw.load(file)
    rmSync(file)
    assert.ok(again instanceof hw.clv[name])
    assert.deepStrictEqual(again.params, model.params)
    assert.strictEqual(again.pAlive(2, 213 / 7, 272 / 7), model.pAlive(2, 213 / 7, 272 / 7))
    const check = await model.check(rfm)
    assert.strictEqual(check.toRows().length, 3)
    assert.ok(check.extras.deciles)
  })
}

test('ParetoGGG learns regularity from the times between purchases', async () => {
  const how = { period: '7d', calibrationEnd: '1997-09-30' }
  const rfm = await hw.clv.summarize(orders, { ...how, logIntervals: true })
  const params = { t: 3, gamma: 2, r: 0.6, alpha: 11, s: 0.7, beta: 12 }
  const model = hw.clv.ParetoGGG.fromParameters(params, '7d')
  assert.ok(model instanceof hw.clv.ParetoGGG)
  assert.deepStrictEqual(model.params, params)
  const known = await model.predict(rfm, { periods: 4 })
  const unknown = await model.predict(await hw.clv.summarize(orders, how), { periods: 4 })
  assert.ok(known.toRows().some((row, i) => row.p_alive !== unknown.toRows()[i].p_alive))
  assert.strictEqual(model.expectedPurchases(2, 213 / 7, 272 / 7, 4), unknown.toRows()[0].expected_purchases)
  await assert.rejects(new hw.clv.ParetoGGG().fit(await hw.clv.summarize(orders, how)), { code: 'HW_COLUMN' })
})

test('rates of AbeParetoNBD are log-normal and correlated', async () => {
  const rfm = await hw.clv.summarize(orders, { period: '7d', calibrationEnd: '1997-09-30' })
  const params = { lambda: 0.03, sigma_lambda: 1.2, mu: 0.03, sigma_mu: 1.5, odds: 3 }
  const model = hw.clv.AbeParetoNBD.fromParameters(params, '7d')
  assert.ok(model instanceof hw.clv.AbeParetoNBD)
  assert.deepStrictEqual(model.params, params)
  const [told] = (await model.correlation()).toRows()
  assert.deepStrictEqual(told, { correlation: 0.5, low: null, high: null })
  const first = rfm.toRows().slice(0, 5)
  const columns = ['customer', 'frequency', 'recency', 'T']
  const few = Object.fromEntries(columns.map((name) => [name, first.map((row) => row[name])]))
  const found = (await model.predict(few, { periods: 39, ownRates: true })).toRows()
  assert.ok(found.every((row) => row.own_rate > 0 && row.own_dropout > 0))
  const alone = model.expectedPurchases(few.frequency[0], few.recency[0], few.T[0], 39)
  assert.strictEqual(alone, found[0].expected_purchases)
  assert.throws(() => hw.clv.AbeParetoNBD.fromParameters({ ...params, mu: 0 }), { code: 'HW_OPTION' })
})

test('laws are tested against those that contain them', async () => {
  const rfm = await hw.clv.summarize(orders, { period: '7d', calibrationEnd: '1997-09-30' })
  const pareto = await new hw.clv.ParetoNBD().fit(rfm)
  const gompertz = await new hw.clv.GGompertzNBD({ tolerance: 1e-6 }).fit(rfm)
  const found = hw.clv.likelihoodRatio(pareto, gompertz)
  assert.strictEqual(found.distribution, '0.5 chi2(0) + 0.5 chi2(1)')
  assert.ok(found.p >= 0 && found.p <= 1)
  assert.throws(() => hw.clv.likelihoodRatio(gompertz, pareto), { code: 'HW_OPTION' })
})

test('models are compared and tested over origins', async () => {
  const rfm = await hw.clv.summarize(orders, { period: '7d', calibrationEnd: '1997-09-30' })
  const table = await hw.clv.compare(rfm)
  assert.strictEqual(table.toRows()[0].model, 'ModifiedBetaGeo')
  assert.ok(table.extras.vuong)
  const tested = await hw.clv.backtest(orders, {
    model: 'ParetoNBD',
    origins: ['1997-09-30'],
    horizon: '90d',
    summarize: { period: '7d' },
  })
  assert.strictEqual(tested.toRows().length, 1)
  const customers = rfm.toRows().map(({ customer }) => ({ customer, odd: Number(customer) % 2 }))
  const along = await hw.clv.backtestOf(orders, customers, {
    model: 'ParetoNBD',
    covariates: { purchase: ['odd'] },
    interval: 0.9,
    origins: ['1997-09-30'],
    horizon: '90d',
    summarize: { period: '7d' },
  })
  const [row] = along.toRows()
  assert.ok(row.expected_low < row.expected && row.expected < row.expected_high)
  assert.ok(row.log_likelihood > tested.toRows()[0].log_likelihood)
  await assert.rejects(hw.clv.compare(rfm, { models: ['Parito'] }), { code: 'HW_OPTION' })
  await assert.rejects(new hw.clv.ParetoNBD({ k: 2 }).fit(rfm), { code: 'HW_OPTION' })
})

test('wrong numbers are errors that name the option', () => {
  const model = hw.clv.BetaGeo.fromParameters({ r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 })
  const spend = hw.clv.GammaGamma.fromParameters({ p: 6.25, q: 3.74, v: 15.44 })
  for (const [option, call] of [
    ['p', () => hw.clv.GammaGamma.fromParameters({ p: 'x', q: 1, v: 2 })],
    ['alpha', () => hw.clv.BetaGeo.fromParameters({ r: 1, alpha: '2', a: 1, b: 1 })],
    ['k', () => hw.clv.BetaGeoCNBD.fromParameters({ r: 1, alpha: 1, a: 1, b: 1, k: -1 })],
    ['k', () => hw.clv.BetaGeoCNBD.fromParameters({ r: 1, alpha: 1, a: 1, b: 1, k: 'x' })],
    ['frequency', () => model.pAlive('x', 1, 2)],
    ['T', () => model.expectedPurchases(1, 1, undefined, 4)],
    ['most', () => model.probabilities(1, 1, 2, 4, -1)],
    ['level', () => model.pAliveInterval(1, 1, 2, 0, '0.9')],
    ['discountRate', () => model.residualPurchases(1, 1, 2, {})],
    ['monetaryValue', () => spend.expectedSpend(1, null)],
  ]) {
    assert.throws(call, { code: 'HW_OPTION', option })
  }
  assert.ok(model.pAlive(1, 1, 2) > 0)
  assert.ok(spend.expectedSpend(2, 30) > 0)
})

test('NBD is compared with the laws that have dropout', async () => {
  const rfm = await hw.clv.summarize(orders, { period: '7d', calibrationEnd: '1997-09-30' })
  const model = await new hw.clv.NBD().fit(rfm)
  assert.deepStrictEqual(Object.keys(model.params), ['r', 'alpha'])
  assert.strictEqual(model.pAlive(2, 9, 38), 1)
  assert.deepStrictEqual((await hw.load(model.toBytes())).params, model.params)
  const table = await hw.clv.compare(rfm, { models: ['NBD', 'BetaGeo'] })
  assert.deepStrictEqual([...table.column('model')], ['BetaGeo', 'NBD'])
  const given = hw.clv.NBD.fromParameters({ r: 0.5, alpha: 8 })
  assert.ok(Math.abs(given.expectedPurchases(0, 0, 0, 4) - 0.25) < 1e-12)
})
