// Checked by `tsc --noEmit`: what must compile, and what must not.
import * as hw from 'headwater'
import type { Table } from 'apache-arrow'

export async function simulate(): Promise<void> {
  const { signal } = new AbortController()
  const market = await hw.simulate.market({ people: 10, seed: 5n, signal, onProgress: (stage, done, total) => stage.length + done + total })
  const end: Date = market.end
  const rows: number = market.events.rows
  const table: Table = market.events.toArrow<Table>()
  const cell: hw.Cell = market.events.toRows()[0].time
  for await (const batch of hw.simulate.batches({ channels: [{ name: 'tv', carryOver: '3d' }] })) batch.truthPeople.head(3)
  void [end, rows, table, cell]

  // @ts-expect-error an unknown option
  await hw.simulate.market({ peoples: 10 })
  // @ts-expect-error a wrong type
  await hw.simulate.market({ people: '10' })
  // @ts-expect-error a channel needs a name
  await hw.simulate.market({ channels: [{ cost: 1 }] })
  // @ts-expect-error rows are counted, not called
  market.events.rows()
}

export async function story(orders: hw.FrameInput): Promise<void> {
  const people = await hw.stitch(orders, { identifiers: ['email'], rules: { namespaces: ['email', { name: 'phone', limit: 3 }] } })
  const rows: { email: string; customer: string | null }[] = await people.assign([{ email: 'a' }])
  const frame: hw.Frame = await people.assign(people.customers())
  const columns = await people.assign({ email: ['a'] })
  const customer: (string | null)[] = columns.customer
  const journeys: hw.Journeys = await hw.Journeys.fromEvents(frame, { conversions: frame, value: 'value', lookback: '30d' })
  const credit: hw.Frame = await hw.attribute(journeys, ['first', new hw.TimeDecay({ halfLife: '7d' }), new hw.Markov({ order: 2 })])
  const builder = new hw.JourneyBuilder({ value: 'value', conversions: 'sold', lookback: '30d' })
  await builder.extend(frame, undefined, { threads: 2 })
  const grown: hw.Journeys = await builder.journeys()
  const chance: number = (await new hw.Markov().fit(grown)).predict(['search'], [new Date()], '2024-01-01')
  const steps: hw.Frame = await journeys.funnel(['search', ['email', 'sms'], '(conversion)'], { window: '14d', splitBy: 'first_channel' })
  await journeys.graphDifference(journeys, { minShare: 0.01 })
  const model: hw.clv.BetaGeo = await new hw.clv.BetaGeo({ penalty: 0 }).fit(frame, { T: 'age' })
  const alpha: number = model.params.alpha
  const error: number | null = model.standardErrors.r
  const clusters: hw.segment.KMeans = await new hw.segment.KMeans({ k: 3, seed: 1n }).fit(frame, { features: ['a'] })
  const labels: Uint32Array = clusters.labels
  const loaded: hw.Model = await hw.load('clv.json')
  if (loaded instanceof hw.clv.BetaGeo) await loaded.save('clv.json')
  const cox: hw.clv.Cox = await new hw.clv.Cox({ penalty: 0.1 }).fit(frame, { covariates: ['price'], references: { plan: 'basic' } })
  const soon: hw.Frame = await cox.earlyWarning(frame, { horizon: 3, top: 10 })
  if (loaded instanceof hw.clv.ShiftedBetaGeo) await loaded.value({ discount: { rate: 0.1, per: '365d' } })
  const value: hw.clv.ZeroInflatedLognormal = await new hw.clv.ZeroInflatedLognormal({ penalty: null }).fit(frame, { horizon: '90d' })
  await value.predict(frame, { quantiles: [0.5, 0.9] })
  // @ts-expect-error no such learner
  new hw.clv.ZeroInflatedLognormal({ learner: 'forest' })
  const draws: hw.clv.Posterior = await hw.clv.samplePosterior(frame, { model: 'ParetoNBD', priors: { s: { median: 1, sd: 1 } }, seed: 7 })
  await (await draws.predict(frame, { purchaseInterval: 0.9 })).toRows()
  if (loaded instanceof hw.clv.Posterior) await loaded.save('draws.json')
  const spend: hw.clv.Posterior = await hw.clv.laplace(frame, { model: 'GammaGamma', monetaryValue: 'mean' })
  await draws.lifetimeValue(spend, frame, { periods: 26 })
  const assists: hw.Frame = await journeys.bootstrap('assisted', { assist: 'any_earlier', bootstrap: 100, seed: 1n })
  await journeys.bootstrap('funnel', { steps: ['a', 'b'], by: 'customer', interval: 'basic' })
  // @ts-expect-error no such report
  await journeys.bootstrap('features')
  void assists
  const lives = await hw.clv.bootstrap(frame, { model: 'ShiftedBetaGeo', contract: { data: 'customers', duration: 'months' } })
  await lives.value({ discount: { rate: 0.1, per: '365d' }, mostDraws: 100 })
  const given: hw.clv.BetaDiscreteWeibull = hw.clv.BetaDiscreteWeibull.fromParameters({ alpha: 0.26, beta: 1.7, c: 1.58 }, '365d')
  await given.survival({ periods: 12 })
  await hw.clv.kaplanMeier(frame, { group: 'plan', test: 'wilcoxon', threads: 1 })
  // @ts-expect-error a rate has its span
  await hw.clv.markovFromOrders(orders, { discount: 0.1 })
  // @ts-expect-error no option of this model
  new hw.clv.Aft({ ties: 'efron' })
  const graph = new hw.IdentityGraph()
  const found: string | undefined = graph.observe({ email: 'a@x.org' }, { time: new Date() }).customer
  void [chance, builder.touches, rows, customer, credit, steps, alpha, error, labels, found, soon]

  // @ts-expect-error stitch needs identifiers
  await hw.stitch(orders, {})
  // @ts-expect-error a frame of conversions comes with each part
  new hw.JourneyBuilder({ conversions: frame })
  // @ts-expect-error no such model
  await hw.attribute(journeys, ['lasst'])
  // @ts-expect-error an option of another model
  new hw.TimeDecay({ order: 2 })
  // @ts-expect-error no such option
  await hw.clv.summarize(orders, { periods: '7d' })
  // @ts-expect-error no such policy
  await hw.segment.rfm(orders, { onInvalid: 'ignore' })
  // @ts-expect-error a column holds one type
  await hw.segment.rfm({ value: ['a', 1] })
}
