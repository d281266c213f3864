'use strict'
// What `Frame` can do that needs no native code.
const { inspect } = require('node:util')

/** A column as an array, typed for numbers, plain for the rest; and which rows hold something. */
function read(frame, name) {
  const { numbers, bigints, flags, codes, strings, valid, time } = frame.parts(name)
  const absent = (row) => valid !== undefined && !valid[row]
  const holed = (values) => (valid ? Array.from(values, (value, row) => (absent(row) ? null : value)) : values)
  let data
  if (numbers) {
    data = numbers
    if (valid) for (let row = 0; row < data.length; row++) if (!valid[row]) data[row] = NaN
  } else if (bigints) data = holed(bigints)
  else if (flags) data = Array.from(flags, (value, row) => (absent(row) ? null : value === 1))
  else if (codes) {
    const labels = cut(strings)
    data = Array.from(codes, (code, row) => (absent(row) ? null : labels[code] ?? null))
  } else data = holed(cut(strings))
  return { data, valid, time }
}

function column(name) {
  return read(this, name).data
}

function cut(parts) {
  const out = []
  for (const { text, ends } of parts) {
    let start = 0
    for (const end of ends) {
      out.push(text.slice(start, end))
      start = end
    }
  }
  return out
}

function columns() {
  return Object.fromEntries(this.columnNames.map((name) => [name, this.column(name)]))
}

/** Rows with `null` for what is missing and a `Date` for a time. */
function toRows() {
  const names = this.columnNames
  const cells = names.map((name) => {
    const { data, valid, time } = read(this, name)
    if (time) return (row) => (valid && !valid[row] ? null : new Date(data[row]))
    return (row) => (valid && !valid[row] ? null : data[row])
  })
  return Array.from({ length: this.rows }, (_, row) => {
    const out = {}
    for (let i = 0; i < names.length; i++) out[names[i]] = cells[i](row)
    return out
  })
}

function toArrow() {
  let arrow
  try {
    arrow = require('apache-arrow')
  } catch (cause) {
    throw new Error('toArrow() needs the package apache-arrow: npm install apache-arrow', { cause })
  }
  return arrow.tableFromIPC(this.toIPC())
}

const SHOWN = 10

function show(value) {
  if (value === null || value === undefined) return ''
  if (value instanceof Date) return value.toISOString().replace('T00:00:00.000Z', '')
  if (typeof value === 'number' && !Number.isInteger(value)) return String(Number(value.toPrecision(6)))
  return String(value)
}

function toString() {
  const names = this.columnNames
  const rows = this.head(SHOWN).toRows()
  const cells = [names, ...rows.map((row) => names.map((name) => show(row[name])))]
  const right = names.map((name) => rows.some((row) => typeof row[name] === 'number'))
  const widths = names.map((_, i) => Math.max(...cells.map((line) => line[i].length)))
  const line = (line) => line.map((text, i) => (right[i] ? text.padStart(widths[i]) : text.padEnd(widths[i]))).join('  ').trimEnd()
  const head = `Frame: ${this.rows} row${this.rows === 1 ? '' : 's'}, ${names.length} column${names.length === 1 ? '' : 's'}`
  const more = this.rows > rows.length ? [`… ${this.rows - rows.length} more`] : []
  return [head, ...cells.map(line), ...more].join('\n')
}

/** Adds them to the native class. */
function dress(Frame) {
  const methods = { column, columns, toRows, toArrow, toString, toJSON() { return this.toRows() } }
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(Frame.prototype, name, { value, configurable: true, writable: true })
  }
  Object.defineProperty(Frame.prototype, inspect.custom, { value() { return this.toString() } })
  Object.defineProperty(Frame.prototype, Symbol.iterator, { value() { return this.toRows()[Symbol.iterator]() } })
}

module.exports = { dress }
