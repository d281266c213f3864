'use strict'
const assert = require('node:assert/strict')
const { inspect } = require('node:util')
const { before, test } = require('node:test')
const arrow = require('apache-arrow')
const hw = require('../index.js')

let market
before(async () => {
  market = await hw.simulate.market({ people: 300, days: 90 })
})

test('columns come out as typed arrays, rows with dates and nulls', () => {
  const { orders } = market
  const value = orders.column('value')
  assert.ok(value instanceof Float64Array)
  assert.equal(value.length, orders.rows)
  const rows = orders.toRows()
  assert.equal(rows.length, orders.rows)
  assert.ok(rows[0].time instanceof Date)
  assert.equal(+rows[0].time, Math.floor(orders.column('time')[0]))
  assert.equal(typeof rows[0].order_id, 'string')
  assert.ok(rows.some((row) => row.phone === null))
  assert.deepEqual([...orders].length, rows.length)
  assert.deepEqual(Object.keys(orders.columns()), orders.columnNames)
  assert.deepEqual(JSON.parse(JSON.stringify(orders.head(2))), JSON.parse(JSON.stringify(rows.slice(0, 2))))
  assert.throws(() => orders.column('valeu'), { code: 'HW_COLUMN', column: 'valeu', message: /which has time, / })
})

test('missing numbers are NaN in a column and null in a row', () => {
  const future = market.people.column('expected_future_orders')
  const rows = market.people.toRows()
  const missing = rows.findIndex((row) => row.expected_future_orders === null)
  assert.ok(missing >= 0)
  assert.ok(Number.isNaN(future[missing]))
  assert.equal(typeof market.people.column('alive')[0], 'boolean')
})

test('a frame shows itself', () => {
  const text = inspect(market.channels)
  assert.match(text, /^Frame: 8 rows, 10 columns\nchannel /)
  assert.equal(text, String(market.channels))
  assert.match(String(market.orders), /… \d+ more$/)
})

test('a frame goes to Arrow and its bytes are Arrow IPC', () => {
  const table = market.orders.toArrow()
  assert.ok(table instanceof arrow.Table)
  assert.equal(table.numRows, market.orders.rows)
  assert.deepEqual(Float64Array.from(table.getChild('value')), market.orders.column('value'))
  const again = arrow.tableFromIPC(market.orders.toIPC())
  assert.deepEqual([...again.getChild('order_id')], market.orders.column('order_id'))
})
