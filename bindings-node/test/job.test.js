'use strict'
const assert = require('node:assert/strict')
const { test } = require('node:test')
const { Worker } = require('node:worker_threads')
const hw = require('../index.js')

const cancelled = { name: 'AbortError', code: 'HW_CANCELLED' }
const long = { people: 2_000_000, days: 60 }

test('a running job stops when its signal says so', async () => {
  const controller = new AbortController()
  const job = hw.simulate.market({ ...long, signal: controller.signal })
  await new Promise((resolve) => setTimeout(resolve, 50))
  const start = performance.now()
  controller.abort(new Error('enough'))
  await assert.rejects(job, (error) => {
    assert.equal(error.name, 'AbortError')
    assert.equal(error.code, 'HW_CANCELLED')
    assert.equal(error.cause.message, 'enough')
    assert.ok(error instanceof Error && error instanceof hw.HeadwaterError)
    return true
  })
  console.log(`  rejected ${(performance.now() - start).toFixed(1)} ms after the abort`)
  // Everything is usable afterwards.
  assert.equal((await hw.simulate.market({ people: 10, days: 30 })).people.rows, 10)
})

test('a queued job is rejected at once, and an aborted signal starts nothing', async () => {
  const controller = new AbortController()
  const busy = new AbortController()
  // Node has four worker threads: the fifth job waits.
  const running = Array.from({ length: 4 }, () => hw.simulate.market({ ...long, signal: busy.signal }))
  const queued = hw.simulate.market({ ...long, signal: controller.signal })
  setTimeout(() => controller.abort(), 20)
  await assert.rejects(queued, cancelled)
  busy.abort()
  await Promise.all(running.map((job) => assert.rejects(job, cancelled)))
  await assert.rejects(hw.simulate.market({ ...long, signal: AbortSignal.abort() }), cancelled)
  await assert.rejects(hw.simulate.market({ ...long, signal: AbortSignal.timeout(30) }), cancelled)
})

test('a signal that outlives many jobs keeps no listeners', async () => {
  const { getEventListeners } = require('node:events')
  const { signal } = new AbortController()
  for (let i = 0; i < 20; i++) await hw.simulate.market({ people: 10, days: 10, signal })
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

test('progress is told, in order, and an error of the callback is not lost', async () => {
  const told = []
  await hw.simulate.market({ people: 60_000, days: 60, onProgress: (...at) => told.push(at) })
  assert.ok(told.length >= 1)
  for (const [stage, done, total] of told) {
    assert.equal(typeof stage, 'string')
    assert.ok(done <= total)
  }
  const bad = hw.simulate.market({ people: 60_000, days: 60, onProgress: () => { throw new Error('mine') } })
  await assert.rejects(bad, { message: 'mine' })
})

test('the event loop stays responsive meanwhile', async () => {
  let ticks = 0
  let last = performance.now()
  let gap = 0
  const timer = setInterval(() => {
    const now = performance.now()
    gap = Math.max(gap, now - last)
    last = now
    ticks++
  }, 1)
  const start = performance.now()
  await hw.simulate.market({ people: 100_000, days: 90 })
  clearInterval(timer)
  const time = performance.now() - start
  console.log(`  ${ticks} ticks of a 1 ms timer in ${time.toFixed(0)} ms; the longest pause was ${gap.toFixed(1)} ms`)
  assert.ok(ticks > 10, `${ticks} ticks`)
  assert.ok(gap < 1000, `${gap} ms`)
})

test('a job does not depend on the number of threads', async () => {
  const [one, three] = await Promise.all([1, 3].map((threads) => hw.simulate.market({ people: 3000, days: 60, seed: 5n, threads })))
  assert.deepEqual(one.orders.columns(), three.orders.columns())
  const other = await hw.simulate.market({ people: 3000, days: 60, seed: 6 })
  assert.notDeepEqual(one.orders.columns(), other.orders.columns())
})

test('options that cannot be are named', async () => {
  for (const [options, option] of [
    [{ peoples: 3 }, 'peoples'],
    [{ people: NaN }, 'people'],
    [{ people: () => 1 }, 'people'],
    [{ seed: -1 }, 'seed'],
    [{ seed: 0.5 }, 'seed'],
    [{ threads: 1.5 }, 'threads'],
    [{ signal: 5 }, 'signal'],
    [{ onProgress: 5 }, 'onProgress'],
    [{ channels: [{ name: 'a', carryOvers: 1 }] }, 'channels'],
    [[], 'options'],
    [5, 'options'],
  ]) {
    await assert.rejects(hw.simulate.market(options), (error) => {
      assert.equal(error.code, 'HW_OPTION')
      assert.equal(error.option, option)
      return true
    })
  }
})

test('worker threads have a library of their own', async () => {
  const script = `
    const { parentPort } = require('node:worker_threads')
    const hw = require(${JSON.stringify(require.resolve('../index.js'))})
    hw.simulate.market({ people: 100, days: 30 }).then((market) => parentPort.postMessage(market.orders.column('value')))`
  const worker = new Worker(script, { eval: true })
  const values = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  assert.deepEqual(values, (await hw.simulate.market({ people: 100, days: 30 })).orders.column('value'))
  await worker.terminate()
})
