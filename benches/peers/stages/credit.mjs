// Microseconds to credit one journey of five touches in Node, by each kind of fitted model and by a rule.
import { createRequire } from 'node:module'

const hw = createRequire(import.meta.url)('../../../bindings-node/index.js')
const world = await hw.simulate.market({ people: 5000, seed: 1 })
const people = await hw.stitch(world.records, { identifiers: ['cookie', 'device', 'email', 'user_id'], time: 'time' })
const [touches, orders] = [await people.assign(world.events), await people.assign(world.orders)]
const journeys = await hw.Journeys.fromEvents(touches, { conversions: orders, onInvalid: 'drop' })
const path = ['display', 'paid_search', 'social', 'email', 'direct']
const start = Date.UTC(2025, 5, 1)
const times = path.map((_, day) => start + day * 86_400_000)
const models = { markov: await new hw.Markov().fit(journeys), time_decay: new hw.TimeDecay() }
const out = {}
for (const [name, model] of Object.entries(models)) {
  const score = name === 'markov' ? () => model.score(path) : () => model.score(path, times)
  for (let i = 0; i < 20_000; i++) score()
  let best = Infinity
  for (let round = 0; round < 5; round++) {
    const from = process.hrtime.bigint()
    for (let i = 0; i < 50_000; i++) score()
    best = Math.min(best, Number(process.hrtime.bigint() - from) / 50_000 / 1000)
  }
  out[name] = best
}
console.log(JSON.stringify(out))
