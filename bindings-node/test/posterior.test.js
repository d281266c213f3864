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

test('options that cannot be', async () => {
  for (const [options, named] of [
    [{ chains: 0 }, /chains/],
    [{ prior: 'strong' }, /prior/],
    [{ priors: { startRate: { median: 1, sd: 1 } } }, /startRate/],
    [{ model: 'GammaGamma' }, /GammaGamma/],
    [{ model: hw.clv.BetaGeo }, /model/],
  ]) {
    await assert.rejects(hw.clv.samplePosterior(rfm, options), { code: 'HW_OPTION', message: named })
  }
  await assert.rejects(hw.clv.bootstrap(rfm, { draws: 10 }), { code: 'HW_OPTION' })
})
