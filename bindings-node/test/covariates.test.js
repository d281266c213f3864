'use strict'
const assert = require('node:assert/strict')
const { test } = require('node:test')
const hw = require('..')

const DAY = 86_400_000

/** A generator of its own: the tests must not depend on another's stream. */
function draws(seed) {
  let state = seed
  const uniform = () => ((state = (state * 16807) % 2147483647) - 0.5) / 2147483647
  return { uniform, exponential: () => -Math.log(uniform()) }
}

function customers() {
  const { uniform, exponential } = draws(7)
  const rows = []
  for (let i = 0; i < 240; i++) {
    const income = (i % 9) / 4 - 1
    const [T, rate, life] = [30 + (i % 9), 0.05 * (exponential() + exponential()) * Math.exp(0.6 * income), exponential() * 40]
    let [frequency, recency, t] = [0, 0, exponential() / rate]
    for (; t < Math.min(T, life); t += exponential() / rate) [frequency, recency] = [frequency + 1, t]
    rows.push({ customer: `c${i}`, frequency, recency, T, income, channel: uniform() < 0.4 ? 'web' : 'shop' })
  }
  return rows
}

test('covariates are fitted, kept and asked of a kind of customer', async () => {
  const rfm = customers()
  const covariates = { purchase: ['income', 'channel'], dropout: ['income'], references: { channel: 'web' } }
  const model = await new hw.clv.ParetoNBD().fit(rfm, { covariates })
  assert.deepEqual(Object.keys(model.params).slice(4), ['purchase:income', 'purchase:channel[shop]', 'dropout:income'])
  assert.ok(model.params['purchase:income'] > 0.2)
  const back = await hw.load(model.toBytes())
  const told = (await back.predict(rfm, { periods: 10 })).column('expected_purchases')
  const { income, channel, frequency, recency, T } = rfm[7]
  const own = model.at({ income, channel })
  assert.ok(Math.abs(own.expectedPurchases(frequency, recency, T, 10) / told[7] - 1) < 1e-12)
  await assert.rejects(back.predict(rfm.map(({ income, ...rest }) => rest)), { code: 'HW_COLUMN' })
  const plain = await new hw.clv.ParetoNBD().fit(rfm)
  assert.ok(hw.clv.likelihoodRatio(plain, model).p < 1e-3)
  assert.deepEqual([model.verdict, model.effectsVerdict, plain.effectsVerdict], ['interior', 'interior', null])
  const silent = rfm.map((row) => (row.channel === 'web' ? { ...row, frequency: 0, recency: 0 } : row))
  const off = await new hw.clv.ParetoNBD().fit(silent, { covariates: { purchase: ['channel'] } })
  assert.equal(off.effectsVerdict, 'monotone_likelihood')
  assert.equal(off.fitTable().column('effects_verdict')[0], 'monotone_likelihood')
})

test('single customers and new ones have intervals, and tracking knows of covariates', async () => {
  const rfm = customers()
  const fit = { covariates: { purchase: ['income'] }, period: '7d' }
  const model = await new hw.clv.ParetoNBD(fit).fit(rfm)
  const told = (await model.predict(rfm, { periods: 10, interval: 0.9, ahead: 4, discountRate: 0.01 })).toRows()[7]
  const { income, frequency, recency, T } = rfm[7]
  const own = model.at({ income })
  const near = (found, low, high) =>
    [low, high].forEach((edge, i) => assert.ok(Math.abs(found[i] / edge - 1) < 1e-9, `${found[i]} for ${edge}`))
  near(own.expectedPurchasesInterval(frequency, recency, T, 10, 0.9), told.expected_purchases_low, told.expected_purchases_high)
  near(own.pAliveInterval(frequency, recency, T, 4, 0.9), told.p_alive_ahead_low, told.p_alive_ahead_high)
  near(own.residualPurchasesInterval(frequency, recency, T, 0.01, 0.9), told.residual_purchases_low, told.residual_purchases_high)
  assert.equal(own.probabilitiesInterval(frequency, recency, T, 10, 3).length, 4)
  assert.throws(() => own.pAliveInterval(frequency, recency, T, 0, 95), { code: 'HW_OPTION' })
  const fresh = await own.newCustomer({ horizons: [4, 52], interval: 0.95 })
  const course = fresh.extras.course.toRows()[1]
  near(own.expectedPurchasesInterval(0, 0, 0, 52), course.expected_purchases_low, course.expected_purchases_high)

  const orders = [
    { customer: 'c1', time: new Date(0) },
    { customer: 'c2', time: new Date(3 * DAY) },
    { customer: 'c1', time: new Date(40 * DAY) },
  ]
  await assert.rejects(model.tracking(orders), { code: 'HW_OPTION' })
  const tracked = await model.trackingOf(orders, rfm, { interval: 0.9 })
  const expected = tracked.column('expected_cumulative').at(-1)
  const by = (i, age) => model.at({ income: rfm[i].income }).expectedPurchases(0, 0, 0, age)
  assert.ok(Math.abs(expected / (by(1, 6) + by(2, 6 - 3 / 7)) - 1) < 1e-9)
  assert.ok(tracked.column('expected_cumulative_high').at(-1) > expected)
  await assert.rejects(model.trackingOf(orders, rfm.slice(0, 2)), { code: 'HW_COLUMN' })
})

test('covariates along time explain purchases and spend', async () => {
  const { exponential } = draws(11)
  const [orders, along] = [[], []]
  for (let customer = 0; customer < 150; customer++) {
    for (let month = 0; month < 14; month++) along.push({ customer, time: new Date(month * 30 * DAY), season: month % 4 === 3 })
    const [rate, taste] = [(exponential() + exponential()) / 120, 0.5 + exponential()]
    for (let t = customer % 30; t < 360;) {
      const high = Math.floor(t / 30) % 4 === 3
      const value = (5 + exponential() + exponential()) * (high ? 2 : 1) * taste
      orders.push({ customer, time: new Date(Math.floor(t) * DAY), value })
      t += 1 + exponential() / (rate * (high ? 3 : 1))
    }
  }
  const fit = { covariates: { purchase: ['season'] }, period: '7d' }
  const model = await new hw.clv.DynamicParetoNBD(fit).fit(orders, along)
  assert.ok(model.params['purchase:season'] > 0.3)
  assert.equal(model.dropped().orders.toRows().length, 0)
  const back = await hw.load(model.toBytes())
  assert.ok(back instanceof hw.clv.DynamicParetoNBD)
  const found = await back.predict(orders, along, { periods: 4, interval: 0.9 })
  assert.equal(found.toRows().length, 150)
  assert.deepEqual(found.column('p_alive'), (await model.predict(orders, along, { periods: 4 })).column('p_alive'))
  const fresh = await back.newCustomers(along, { periods: 4 })
  assert.equal(fresh.toRows().length, 150)
  assert.equal(typeof fresh.column('customer')[0], typeof found.column('customer')[0])
  const more = { ahead: 4, nextPurchase: 0.4, rate: true, probabilities: 60, ownRates: true, logLikelihood: true }
  for (const row of (await model.predict(orders, along, { periods: 4, discountRate: 0.01, ...more })).toRows()) {
    const mass = Array.from({ length: 61 }, (_, n) => row[`probability_${n}`])
    assert.ok(Math.abs(mass.reduce((a, p) => a + p, 0) - 1) < 1e-6)
    assert.ok(row.p_alive_ahead <= row.p_alive && row.residual_purchases > row.discounted_purchases)
    assert.ok(row.own_rate_sd > 0 && row.own_dropout_sd > 0 && row.purchase_rate > 0 && row.log_likelihood < 0)
  }
  const spend = await new hw.clv.DynamicGammaGamma({ covariates: ['season'], rate: true }).fit(orders, along)
  assert.ok(Math.abs(spend.params['spend:season'] - Math.LN2) < 0.1)
  assert.ok((await spend.predict(orders, along)).column('expected_spend').every((value) => value > 0))
  const tracked = await model.tracking(orders, along, { interval: 0.9 })
  assert.strictEqual(tracked.toRows().at(-1).actual_cumulative, orders.length - 150)
  const checked = await model.check(orders, along, { calibrationEnd: new Date(270 * DAY), bins: 4 })
  assert.strictEqual(checked.toRows().length, 3)
  assert.strictEqual(checked.extras.byAge.toRows().length, 4)
  const weekly = await new hw.clv.DynamicGammaGamma({ covariates: ['season'], period: '7d' }).fit(orders, along)
  const worth = await model.lifetimeValue(weekly, orders, along, { periods: 8, discountRate: 0.01, interval: 0.9 })
  for (const row of worth.toRows()) {
    assert.ok(row.lifetime_value_low <= row.lifetime_value && row.lifetime_value <= row.lifetime_value_high)
    assert.ok(row.lifetime_value <= row.expected_purchases * row.expected_spend)
  }
  const plain = hw.clv.GammaGamma.fromParameters({ p: 6.25, q: 3.74, v: 15.44 })
  for (const row of (await model.lifetimeValue(plain, orders, along, { periods: 8 })).toRows()) {
    assert.ok(Math.abs(row.lifetime_value / (row.expected_purchases * row.expected_spend) - 1) < 1e-12)
  }
  await assert.rejects(model.lifetimeValue(model, orders, along), { code: 'HW_OPTION' })
  // Given parameters predict as the fit that they are of.
  const { DynamicParetoNBD, DynamicGammaGamma } = hw.clv
  const given = DynamicParetoNBD.fromParameters(model.params, { means: model.means, period: '7d' })
  assert.deepEqual([given.verdict, given.effectsVerdict], ['given', 'given'])
  const asked = { periods: 4 }
  assert.deepEqual((await given.predict(orders, along, asked)).toRows(), (await model.predict(orders, along, asked)).toRows())
  const dear = DynamicGammaGamma.fromParameters(spend.params, { means: spend.means, rate: spend.rate })
  assert.deepEqual((await dear.predict(orders, along)).toRows(), (await spend.predict(orders, along)).toRows())
  assert.throws(() => DynamicParetoNBD.fromParameters({ r: NaN }), { code: 'HW_OPTION' })
  assert.throws(() => DynamicParetoNBD.fromParameters({ r: 1, alpha: 1, s: 1, beta: 1 }), { code: 'HW_OPTION' })
})

test('parameters along time are drawn', async () => {
  const { exponential } = draws(5)
  const [orders, along] = [[], []]
  for (let customer = 0; customer < 80; customer++) {
    for (let month = 0; month < 14; month++) along.push({ customer, time: new Date(month * 30 * DAY), season: month % 4 === 3 })
    const rate = (exponential() + exponential()) / 120
    for (let t = customer % 30; t < 360; t += 1 + exponential() / (rate * (Math.floor(t / 30) % 4 === 3 ? 3 : 1))) {
      orders.push({ customer, time: new Date(Math.floor(t) * DAY) })
    }
  }
  const model = new hw.clv.DynamicParetoNBD({ covariates: { purchase: ['season'] }, period: '7d' })
  const drawn = await hw.load((await model.posterior('laplace', orders, along, { draws: 100, chains: 2 })).toBytes())
  assert.equal((await drawn.summary()).column('parameter')[4], 'purchase:season')
  const told = await drawn.predictAlong(orders, along, { periods: 4, mostDraws: 20, nextPurchase: 0.3 })
  for (const row of told.toRows()) {
    assert.ok(row.expected_purchases_low <= row.expected_purchases && row.expected_purchases <= row.expected_purchases_high)
  }
  await assert.rejects(model.posterior('laplace', orders, along, { replicates: 5 }), { code: 'HW_OPTION' })
  await assert.rejects(drawn.predict([{ frequency: 1, recency: 1, T: 2 }]), { code: 'HW_OPTION' })
})

test('independence of spend is tested', async () => {
  const rows = Array.from({ length: 120 }, (_, i) => ({ frequency: 1 + (i % 6), monetary_value: [1, 2, 3, 5, 4, 7][i % 6] }))
  const model = await new hw.clv.GammaGamma().fit(rows)
  assert.ok(model.independence().column('p').every((p) => p < 1e-6))
})

test('groups are pooled', async () => {
  const rfm = customers()
  const found = await hw.clv.sampleHierarchy(rfm, { group: 'channel', chains: 2, draws: 40, tune: 60, seed: 3 })
  assert.deepEqual(found.groups, ['shop', 'web'])
  assert.equal((await found.summary()).toRows().length, 8)
  const back = await hw.load(found.toBytes())
  const ask = [{ ...rfm[0], channel: 'radio' }, rfm[1]]
  assert.deepEqual(
    (await back.predict(ask, { periods: 10 })).column('expected_purchases'),
    (await found.predict(ask, { periods: 10 })).column('expected_purchases'),
  )
})
