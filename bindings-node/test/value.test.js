'use strict'
// Value learned from covariates: both learners, chosen penalties, refunds.
const assert = require('node:assert/strict')
const { test } = require('node:test')
const hw = require('../index.js')

const rows = Array.from({ length: 120 }, (_, i) => i)
const customers = () => ({
  customer: rows.map((i) => `k${i}`),
  visits: Float64Array.from(rows, (i) => (i * 7) % 11),
  plan: rows.map((i) => ['basic', 'plus', 'gold'][((i * 5) % 7) % 3]),
  spend: Float64Array.from(rows, (i) => ((i * 13) % 5 < 2 ? 0 : 5 + ((i * 7) % 11) * (1 + (i % 4)))),
})
const boosted = { learner: 'boosted', trees: 8, folds: 2, minLeaf: 5 }

for (const options of [{}, boosted]) {
  test(`${options.learner ?? 'linear'} heads tell what customers will spend`, async () => {
    const model = new hw.clv.ZeroInflatedLognormal(options)
    await model.fit(customers(), { target: 'spend', customer: 'customer', horizon: '90d' })
    const loaded = await hw.load(model.toBytes())
    assert.ok(loaded instanceof hw.clv.ZeroInflatedLognormal)
    const found = await loaded.predict(customers(), { customer: 'customer', quantiles: [0.1, 0.9] })
    assert.deepEqual(found.columns(), (await model.predict(customers(), { customer: 'customer' })).columns())
    assert.deepEqual(found.column('customer'), customers().customer)
    assert.equal(found.extras.quantiles.rows, 240)
    assert.equal(model.fitTable().column('horizon')[0], '90d')
    const scores = await model.score(customers())
    assert.equal(scores.column('score')[0], 'log_loss')
    assert.equal(scores.extras.deciles.rows, 10)
    assert.equal(Object.keys(model.params).length, options.learner ? 0 : 12)
    const columns = Object.keys((await model.summary()).columns())
    assert.ok(columns.includes(options.learner ? 'gain' : 'standard_error'))
  })
}

test('a penalty of null is chosen by cross-validation', async () => {
  const model = new hw.clv.ZeroInflatedLognormal({ penalty: null, penalties: [1, 50], folds: 3 })
  await model.fit(customers(), { target: 'spend', covariates: ['visits', 'plan'] })
  const { tuning } = (await model.summary()).extras
  assert.deepEqual(tuning.column('head'), ['purchase', 'purchase', 'mu', 'mu', 'log_sigma', 'log_sigma'])
  assert.equal(Array.from(tuning.column('chosen')).filter(Boolean).length, 3)
})

test('refunds beyond purchases need a word', async () => {
  const frame = customers()
  frame.spend[0] = -3
  const fit = (options) => new hw.clv.ZeroInflatedLognormal(options).fit(frame, { target: 'spend', customer: 'customer' })
  await assert.rejects(fit(), { code: 'HW_ROW', column: 'spend', row: 0 })
  assert.equal((await fit({ negative: 'zero' })).fitTable().column('customers')[0], 120)
  assert.equal((await fit({ onInvalid: 'drop' })).dropped().rows, 1)
})
