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
