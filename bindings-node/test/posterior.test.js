'use strict'
const assert = require('node:assert')
const { rmSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const test = require('node:test')
const hw = require('..')

const rfm = {
  customer: [...'abcdefg'],
  frequency: [0, 1, 1, 2, 2, 6, 6],
  recency: [0, 4, 24, 9, 30, 13, 36],
  T: [35, 38, 38, 39, 39, 38, 38],
  many: [1400, 300, 200, 100, 100, 10, 90],
}

test('chains agree, and the draws travel', async () => {
  const drawn = await hw.clv.samplePosterior(rfm, { chains: 2, draws: 300, weight: 'many', period: '7d', seed: 1 })
  assert.ok(drawn instanceof hw.clv.Posterior)
  assert.deepStrictEqual([drawn.model, drawn.method], ['BetaGeo', 'nuts'])
  assert.ok((await drawn.summary({ level: 0.8 })).toRows().every((row) => row.r_hat < 1.05 && row.low < row.high))
  assert.strictEqual((await drawn.draws()).toRows().length, 600)
  assert.strictEqual(drawn.fitTable().toRows().length, 2)
  assert.strictEqual(drawn.dropped().toRows().length, 0)
  const options = { periods: 26, purchaseInterval: 0.9 }
  const ahead = (await drawn.predict(rfm, options)).toRows()
  const file = join(tmpdir(), `headwater-${process.pid}-draws.json`)
  await drawn.save(file)
  const again = await hw.load(file)
  rmSync(file)
  assert.ok(again instanceof hw.clv.Posterior)
  assert.deepStrictEqual((await again.predict(rfm, options)).toRows(), ahead)
})

test('draws answer what models answer, and value customers', async () => {
  const drawn = await hw.clv.laplace(rfm, { weight: 'many', draws: 50 })
  const asked = { periods: 12, ahead: 8, discountRate: 0.01, nextPurchase: 0.1, rate: true, probabilities: 1 }
  const [row] = (await drawn.predict(rfm, asked)).toRows()
  for (const name of ['p_alive_ahead', 'residual_purchases', 'purchase_rate', 'probability_0', 'probability_1']) {
    assert.ok(row[`${name}_low`] <= row[name] && row[name] <= row[`${name}_high`], name)
  }
  assert.ok(row.next_purchase > 0)
  const spend = hw.clv.GammaGamma.fromParameters({ p: 6.25, q: 3.74, v: 15.44 })
  const rows = { ...rfm, monetary_value: [0, 12, 35, 8, 60, 25, 42] }
  const found = (await drawn.lifetimeValue(spend, rows, { periods: 12, mostDraws: 40 })).toRows()
  assert.ok(found.every((row) => row.lifetime_value > 0))
  await assert.rejects(drawn.lifetimeValue(spend, rows, { interval: 0.9 }), /given/)
})

test('customers beside those that the model makes', async () => {
  const drawn = await hw.clv.laplace(rfm, { weight: 'many', draws: 100, seed: 1 })
  const found = await drawn.check(rfm, { weight: 'many', most: 3, mostDraws: 100 })
  assert.deepStrictEqual(
    found.toRows().map((row) => row.statistic),
    ['share_0', 'share_1', 'share_2', 'share_3_or_more', 'mean', 'variance', 'bought_lately'],
  )
  assert.ok(found.toRows().every((row) => row.low <= row.high && row.p >= 0 && row.p <= 1))
  await assert.rejects(drawn.check({ ...rfm, many: Array(7).fill(0.5) }, { weight: 'many' }), /whole number of customers/)
})

const discount = { rate: 0.1, per: '365d' }

test('spend is drawn, and values customers with draws of purchases', async () => {
  const spends = { ...rfm, monetary_value: [0, 12, 30, 25, 41, 18, 33.5] }
  const options = { weight: 'many', chains: 1, draws: 100 }
  const spend = await hw.clv.laplace(spends, { ...options, model: 'GammaGamma' })
  assert.deepStrictEqual((await spend.summary()).toRows().map((row) => row.parameter), ['p', 'q', 'v'])
  for (const row of (await spend.predict(spends)).toRows()) {
    assert.ok(row.expected_spend_low < row.expected_spend && row.expected_spend < row.expected_spend_high)
  }
  const checked = (await spend.check(spends, { weight: 'many', mostDraws: 10 })).toRows()
  assert.strictEqual(checked.at(-1).statistic, 'correlation_of_logs')
  const purchases = await hw.clv.laplace(spends, options)
  for (const row of (await purchases.lifetimeValue(spend, spends, { periods: 26, margin: 0.3 })).toRows()) {
    assert.ok(row.lifetime_value_low < row.lifetime_value && row.lifetime_value < row.lifetime_value_high)
  }
  await assert.rejects(spend.lifetimeValue(spend, spends), { code: 'HW_OPTION' })
})

test('retention is drawn of cohorts and of customers', async () => {
  const cohort = { period: [0, 1, 2, 3, 4, 5, 6, 7], customers: [1000, 869, 743, 653, 593, 551, 517, 491] }
  const drawn = await hw.clv.laplace(cohort, { model: 'ShiftedBetaGeo', chains: 1, draws: 100, period: '365d' })
  assert.ok(Math.abs((await drawn.survival({ periods: 9 })).column('survival')[7] - 0.491) < 0.02)
  assert.strictEqual((await drawn.value({ discount, margin: 100 })).toRows().length, 6)
  const [first, later] = (await drawn.predict({ customer: ['ann', 'bob'], renewals: [0, 6] }, { periods: 3, discount })).toRows()
  assert.ok(later.churn < first.churn && first.residual_value_low < first.residual_value_high)
  const lives = { months: [1, 2, 3, 3, 5, 6], gone: [true, true, true, false, true, false] }
  const contract = { data: 'customers', duration: 'months', event: 'gone' }
  const refits = await hw.clv.bootstrap(lives, { model: 'ShiftedBetaGeo', contract, replicates: 20 })
  assert.strictEqual(refits.model, 'ShiftedBetaGeo')
})

test('models of retention may be given parameters', async () => {
  const model = hw.clv.ShiftedBetaGeo.fromParameters({ alpha: 0.668, beta: 3.806 }, '365d')
  assert.ok(model instanceof hw.clv.ShiftedBetaGeo)
  assert.deepStrictEqual([model.verdict, model.logLikelihood], ['given', null])
  assert.ok(Math.abs((await model.survival({ periods: 7 })).column('survival')[7] - 0.491) < 0.01)
  await assert.rejects(model.survival({ periods: 7, interval: 0.9 }), /standard errors/)
  assert.throws(() => hw.clv.BetaDiscreteWeibull.fromParameters({ alpha: 1, beta: 2, c: 30 }), /between 0.01 and 20/)
})

test('curves of cohorts are drawn together, and checked', async () => {
  const plans = {
    plan: [...Array(5).fill('basic'), ...Array(4).fill('family'), 'new', 'new'],
    period: [0, 1, 2, 3, 4, 0, 1, 2, 3, 0, 1],
    customers: [900, 700, 590, 520, 470, 600, 540, 495, 460, 40, 34],
  }
  const how = { model: 'ShiftedBetaGeo', group: 'plan', chains: 1, draws: 60, tune: 100, period: '30d' }
  const found = await hw.load((await hw.clv.sampleHierarchy(plans, how)).toBytes())
  const curves = await found.survival({ periods: 3 })
  assert.deepStrictEqual(curves.column('group').slice(11), ['new', null, null, null, null])
  const young = await found.posterior('new').survival({ periods: 3 })
  assert.deepStrictEqual([...young.column('survival')], [...curves.column('survival')].slice(8, 12))
  const fresh = await found.posterior().survival({ periods: 3 })
  assert.deepStrictEqual([...fresh.column('survival')], [...curves.column('survival')].slice(12))
  assert.strictEqual((await found.draws()).toRows().length, 180)
  const discount = { rate: 0.1, per: '365d' }
  assert.strictEqual((await found.value({ discount, tenures: 1 })).toRows().length, 8)
  const who = { customer: ['ann', 'bob'], renewals: [1, 3], plan: ['other', 'basic'] }
  const ahead = (await found.predict(who, { periods: 6, discount })).toRows()
  assert.deepStrictEqual(ahead.map((row) => row.group), ['other', 'basic'])
  assert.strictEqual((await found.check(plans)).toRows()[0].statistic, 'churn_1')
  assert.throws(() => found.posterior('old'), /`basic`, `family`, `new`/)
})

test('values are by group, and fits take draws of spend', async () => {
  const spends = {
    ...rfm,
    monetary_value: [0, 12, 30, 25, 41, 18, 33.5],
    channel: [...Array(4).fill('web'), ...Array(3).fill('shop')],
  }
  const how = { group: 'channel', chains: 1, draws: 40, tune: 80, weight: 'many' }
  const purchases = await hw.clv.sampleHierarchy(spends, how)
  const spend = await hw.clv.sampleHierarchy(spends, { model: 'GammaGamma', ...how })
  const found = (await purchases.lifetimeValue(spend, spends, { periods: 4 })).toRows()
  const own = await purchases.posterior('shop').lifetimeValue(spend.posterior('shop'), spends, { periods: 4 })
  assert.strictEqual(found[5].group, 'shop')
  assert.strictEqual(found[5].lifetime_value, own.toRows()[5].lifetime_value)
  const law = await new hw.clv.BetaGeo().fit(rfm, { weight: 'many' })
  const priors = { q: { median: 3, sd: 0.1 } }
  const draws = await hw.clv.laplace(spends, { model: 'GammaGamma', weight: 'many', draws: 50, priors })
  const [row] = (await hw.clv.lifetimeValue(law, draws, spends, { periods: 4, interval: 0.9 })).toRows().slice(5)
  assert.ok(row.lifetime_value_low < row.lifetime_value_high)
})

test('coefficients are drawn, and customers predicted by their own laws', async () => {
  const twice = (values) => [...values, ...values]
  const kinds = {
    ...Object.fromEntries(Object.entries(rfm).map(([name, values]) => [name, twice(values)])),
    customer: [...'abcdefghijklmn'],
    channel: twice(Array(7).fill('web')).map((name, i) => (i < 7 ? name : 'shop')),
    many: [...rfm.many, 700, 250, 200, 120, 120, 20, 150],
  }
  const options = { weight: 'many', covariates: { purchase: ['channel'] } }
  const found = await hw.clv.laplace(kinds, { ...options, draws: 100 })
  const row = (await found.summary()).toRows()[4]
  assert.strictEqual(row.parameter, 'purchase:channel[web]')
  assert.ok(row.high < 0)
  assert.strictEqual((await found.predict(kinds, { periods: 26 })).toRows().length, 14)
  await assert.rejects(found.predict(rfm, { periods: 26 }), /channel/)
  const prior = { priors: { 'purchase:channel[web]': { median: 0.5, sd: 0.001 } }, coefficientSd: 0.5, draws: 20 }
  const known = (await (await hw.clv.laplace(kinds, { ...options, ...prior })).summary()).toRows()[4]
  assert.ok(Math.abs(known.mean - Math.log(0.5)) < 0.01)
  const penalised = { purchase: ['channel'], purchasePenalty: 1 }
  await assert.rejects(hw.clv.laplace(kinds, { ...options, covariates: penalised }), /priors instead of penalties/)
})

test('groups have coefficients in common', async () => {
  const market = {
    ...rfm,
    customer: [...'abcdefg'],
    channel: [...Array(4).fill('web'), ...Array(3).fill('shop')],
    income: [1, 0, 2, 1, 3, 0, 1],
  }
  const how = { group: 'channel', weight: 'many', chains: 1, draws: 40, tune: 80 }
  const covariates = { purchase: ['income'] }
  const found = await hw.clv.sampleHierarchy(market, { ...how, covariates, coefficientSd: 0.5 })
  const last = (await found.population()).toRows().at(-1)
  assert.deepStrictEqual([last.parameter, last.what], ['purchase:income', 'coefficient'])
  const drawn = async (group) => (await found.posterior(group).draws()).toRows().map((row) => row['purchase:income'])
  assert.deepStrictEqual(await drawn('web'), await drawn('shop'))
  const ahead = (await found.predict(market, { periods: 26 })).toRows()
  const own = (await found.posterior('shop').predict(market, { periods: 26 })).toRows()
  assert.strictEqual(ahead[5].expected_purchases, own[5].expected_purchases)
  await assert.rejects(
    hw.clv.sampleHierarchy(market, { ...how, covariates: { ...covariates, purchasePenalty: 1 } }),
    { code: 'HW_OPTION', message: /priors instead of penalties/ },
  )
})

test('contracts are drawn with covariates', async () => {
  const plans = {
    plan: [...Array(4).fill('basic'), ...Array(4).fill('plus')],
    duration: [1, 2, 3, 3, 1, 2, 3, 3],
    event: [true, true, true, false, true, true, true, false],
    n: [369, 163, 86, 382, 131, 126, 90, 653],
  }
  const rows = { data: 'customers' }
  const contract = { ...rows, covariates: { alpha: ['plan'], beta: ['plan'] } }
  const how = { model: 'ShiftedBetaGeo', weight: 'n', contract }
  const found = await hw.clv.laplace(plans, { ...how, draws: 100, period: '30d' })
  assert.deepStrictEqual(
    (await found.summary()).toRows().map((row) => row.parameter),
    ['alpha', 'beta', 'alpha:plan[plus]', 'beta:plan[plus]'],
  )
  const at = async (plan) => (await found.survival({ periods: 4, at: { plan } })).toRows()[4].survival
  const [basic, plus] = [await at('basic'), await at('plus')]
  assert.ok(basic < plus)
  const who = { customer: ['ann', 'bob'], renewals: [0, 0], plan: ['basic', 'plus'] }
  const ahead = (await found.predict(who, { periods: 4 })).toRows().map((row) => row.survival)
  assert.ok(Math.abs(ahead[0] - basic) < 1e-12 && Math.abs(ahead[1] - plus) < 1e-12)
  assert.strictEqual((await found.check(plans, { weight: 'n', contract: rows })).toRows()[0].statistic, 'churn_1')
  const refits = await hw.clv.bootstrap(plans, { ...how, model: 'BetaDiscreteWeibull', replicates: 5 })
  assert.strictEqual((await refits.summary()).toRows()[3].parameter, 'alpha:plan[plus]')
  await assert.rejects(found.check(plans, { weight: 'n', contract }), { code: 'HW_OPTION', message: /know theirs/ })
  const misplaced = { ...how, contract: rows, covariates: { purchase: ['plan'] } }
  await assert.rejects(hw.clv.laplace(plans, misplaced), { code: 'HW_OPTION', message: /stand in `contract`/ })
})

test('Pareto/GGG is drawn with the times between purchases', async () => {
  const orders = { ...rfm, gaps: [0, 1.38629, 3.17805, 2.8, 4.1, 4.1, 10.6] }
  const options = { model: 'ParetoGGG', weight: 'many', chains: 1, draws: 4 }
  const found = await hw.clv.laplace(orders, { ...options, logIntervals: 'gaps' })
  const [known, unknown] = [await found.predict(orders, { logIntervals: 'gaps' }), await found.predict(orders)]
  assert.notDeepStrictEqual(known.toRows(), unknown.toRows())
  await assert.rejects(hw.clv.laplace(orders, options), /log_intervals/)
})

test('options that cannot be', async () => {
  for (const [options, named] of [
    [{ chains: 0 }, /chains/],
    [{ prior: 'strong' }, /prior/],
    [{ priors: { startRate: { median: 1, sd: 1 } } }, /startRate/],
    [{ model: 'NoSuchLaw' }, /NoSuchLaw/],
    [{ model: hw.clv.BetaGeo }, /model/],
  ]) {
    await assert.rejects(hw.clv.samplePosterior(rfm, options), { code: 'HW_OPTION', message: named })
  }
  await assert.rejects(hw.clv.bootstrap(rfm, { draws: 10 }), { code: 'HW_OPTION' })
})
