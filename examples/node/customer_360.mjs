// The whole story, once through: who they are, what brought them, what they are worth, who they resemble.
//
//     npm install ./bindings-node && node examples/node/customer_360.mjs [--size EVENTS] [--numbers FILE]

import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { gunzipSync } from 'node:zlib'
import { parseArgs } from 'node:util'

// In a project of your own: import * as hw from 'headwater'
const hw = createRequire(import.meta.url)('../../bindings-node')

const { values: options } = parseArgs({
  options: { size: { type: 'string', default: '1000000' }, numbers: { type: 'string' } },
})
const numbers = {}

const models = [
  'first',
  'last',
  new hw.LastNonDirect({ direct: ['direct'] }),
  'linear',
  new hw.PositionBased({ first: 0.4, last: 0.4 }),
  new hw.TimeDecay({ halfLife: '7d' }),
  new hw.Markov({ order: 1 }),
  new hw.Markov({ order: 2 }),
  new hw.Shapley(),
]

/** One line of the story: what was done, on how many rows, in how long. */
async function stage(name, rows, work, said = () => '') {
  const begun = performance.now()
  const out = await work()
  const seconds = ((performance.now() - begun) / 1000).toFixed(2)
  console.log(`${name.padEnd(34)}${rows.toLocaleString('en').padStart(12)} rows ${seconds.padStart(8)} s   ${said(out)}`)
  return out
}

/** Remembers the first rows of a result, for the test that compares the three languages. */
function keep(name, frame, columns) {
  const cell = (value) => (typeof value === 'bigint' ? Number(value) : value)
  const head = frame.head(50)
  numbers[name] = Object.fromEntries(columns.map((column) => [column, Array.from(head.column(column), cell)]))
}

function parameters(name, model, spend) {
  for (const [kind, fitted] of Object.entries({ beta_geo: model, gamma_gamma: spend })) {
    numbers[`${name}_${kind}`] = { params: Object.values(fitted.params), log_likelihood: fitted.logLikelihood }
  }
}

/** Precision and recall of pairs of rows that are one customer's. */
async function score(name, frame) {
  const [found] = (await hw.evaluate(frame, { truth: 'person' })).toRows()
  console.log(`${'  against the truth'.padEnd(34)}precision ${found.precision.toFixed(4)}, recall ${found.recall.toFixed(4)}`)
  numbers[name] = { precision: found.precision, recall: found.recall, f1: found.f1 }
}

/** The columns of one of the example files. */
function readCsv(name, numeric) {
  const bytes = readFileSync(new URL(`../data/${name}`, import.meta.url))
  const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
  const [head, ...rows] = text.trim().split('\n').map((line) => line.split(','))
  const column = (i, read) => rows.map((row) => read(row[i]))
  return Object.fromEntries(
    head.map((title, i) => [title, numeric.includes(title) ? column(i, Number) : column(i, (cell) => cell || null)]),
  )
}

async function fitBoth(name, summary) {
  return stage(name, summary.rows, async () => [
    await new hw.clv.BetaGeo().fit(summary, { period: '7d' }),
    await new hw.clv.GammaGamma().fit(summary),
  ], ([model]) => `log-likelihood ${model.logLikelihood.toFixed(4)}`)
}

const inAYear = { periods: 52, discountRate: 0.0025, margin: 0.3 }

// --- part one: real data ----------------------------------------------------------------------------------------

/** What CDNOW's customers of early 1997 would buy next, against what they bought. */
async function cdnow() {
  const orders = readCsv('cdnow.csv', ['customer', 'amount'])
  const roles = { time: 'date', value: 'amount' }
  const summary = await stage('CDNOW: summarize', orders.customer.length,
    () => hw.clv.summarize(orders, { ...roles, period: '7d', calibrationEnd: '1997-09-30' }),
    (out) => `${out.rows} customers`)
  const [model, spend] = await fitBoth('CDNOW: fit BG/NBD and Gamma-Gamma', summary)
  const forecast = await stage('CDNOW: forecast 39 weeks', summary.rows, () => model.predict(summary, { periods: 39 }))
  const values = await hw.clv.lifetimeValue(model, spend, summary, inAYear)
  const segments = await hw.segment.rfm(orders, roles)
  keep('cdnow_summary', summary, ['customer', 'frequency', 'recency', 'T', 'monetary_value', 'frequency_holdout'])
  parameters('cdnow', model, spend)
  keep('cdnow_forecast', forecast, ['customer', 'expected_purchases', 'p_alive'])
  keep('cdnow_value', values, ['customer', 'lifetime_value'])
  keep('cdnow_rfm', segments, ['customer', 'r', 'f', 'm', 'segment'])
}

/** Ten thousand paths over twelve channels, under every model that needs no times. */
async function paths() {
  const table = readCsv('paths.csv.gz', ['total_conversions', 'total_conversion_value', 'total_null'])
  const roles = { conversions: 'total_conversions', value: 'total_conversion_value', nulls: 'total_null' }
  const journeys = await stage('paths: journeys', table.path.length, () => hw.Journeys.fromPaths(table, roles))
  const timeless = models.filter((model) => !(model instanceof hw.TimeDecay))
  const credit = await stage('paths: attribution', table.path.length, () => hw.attribute(journeys, timeless))
  keep('paths_credit', credit, ['model', 'channel', 'conversions', 'value'])
}

/** Five thousand records with typing errors: who is the same person, by keys that must agree exactly. */
async function febrl() {
  const records = readCsv('febrl3.csv.gz', [])
  const key = (...names) => records.person.map((_, i) => {
    const parts = names.map((name) => records[name][i])
    return parts.includes(null) ? null : parts.join('|')
  })
  const frame = {
    person: records.person,
    soc_sec_id: records.soc_sec_id,
    name_and_birth: key('given_name', 'date_of_birth'),
    surname_and_birth: key('surname', 'date_of_birth'),
    name_and_place: key('given_name', 'surname', 'postcode'),
  }
  const identifiers = Object.keys(frame).slice(1)
  const people = await stage('FEBRL: stitch', frame.person.length,
    () => hw.stitch(frame, { identifiers }), (out) => `${out.customerCount} people`)
  await score('febrl', await people.assign(frame))
}

// --- part two: the whole chain ----------------------------------------------------------------------------------

/** From raw events to decisions on a market whose truth is known. */
async function market(events) {
  const world = await stage('market: simulate', events,
    () => hw.simulate.market({ events, days: 180, holdoutDays: 90, seed: 1 }),
    (out) => `${out.events.rows} events, ${out.orders.rows} orders`)
  const identifiers = ['user_id', 'email', 'phone', 'loyalty', 'device', 'cookie']
  const rules = { namespaces: [{ name: 'user_id', limit: 1 }] }
  const people = await stage('stitch identifiers', world.records.rows,
    () => hw.stitch(world.records, { identifiers, time: 'time', rules }), (out) => `${out.customerCount} customers`)
  const touches = await people.assign(world.events)
  const orders = await people.assign(world.orders)
  await score('market_identity', { customer: orders.column('customer'), person: world.truthOrders.column('person') })

  const journeys = await stage('journeys', touches.rows,
    () => hw.Journeys.fromEvents(touches, { conversions: orders, cost: 'cost', value: 'value' }),
    (out) => `${out.size} journeys`)
  const credit = await stage('attribution', touches.rows, () => hw.attribute(journeys, models))
  keep('market_credit', credit, ['model', 'channel', 'conversions', 'value', 'roas'])
  keep('market_truth', world.channels, ['channel', 'incremental_conversions', 'incremental_value'])

  const summary = await stage('clv: summarize', orders.rows, () => hw.clv.summarize(orders, { period: '7d' }))
  const [model, spend] = await fitBoth('clv: fit', summary)
  const values = await hw.clv.lifetimeValue(model, spend, summary, inAYear)
  const segments = await stage('segments: RFM', orders.rows, () => hw.segment.rfm(orders))
  const features = ['recency', 'frequency', 'monetary']
  const clusters = await stage('segments: k-means', segments.rows,
    () => new hw.segment.KMeans({ k: 5, seed: 0 }).fit(segments, { features, scale: 'standard' }),
    (out) => `inertia ${out.inertia.toFixed(1)}`)
  parameters('market', model, spend)
  keep('market_value', values, ['customer', 'expected_purchases', 'p_alive', 'lifetime_value'])
  keep('market_rfm', segments, ['customer', 'recency', 'frequency', 'monetary', 'segment'])
  numbers.market_kmeans = { inertia: clusters.inertia, centers: clusters.centers }
}

await cdnow()
await paths()
await febrl()
await market(Number(options.size))
if (options.numbers) writeFileSync(options.numbers, JSON.stringify(numbers))
