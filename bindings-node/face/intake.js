'use strict'
// Whatever holds columns, as the few forms that the native side reads.
const { columnError } = require('./error.js')

const CHUNK = 65536

const isTable = (value) => Array.isArray(value.batches) && typeof value.getChild === 'function' && 'schema' in value

/** An Arrow table of the caller's own apache-arrow, as IPC bytes. */
function ipc(table) {
  let arrow
  try {
    arrow = require('apache-arrow')
  } catch {
    throw columnError('(arrow)', 'a Table needs the package apache-arrow, or pass the bytes of tableToIPC(table)')
  }
  return arrow.tableToIPC(table, 'stream')
}

/** The one door for frames: a Frame, Arrow bytes, an Arrow table, rows, or columns. */
function frame(value, Frame) {
  if (value instanceof Frame) return { frame: value }
  if (value instanceof Uint8Array) return { ipc: value }
  if (value instanceof ArrayBuffer) return { ipc: new Uint8Array(value) }
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) {
    throw columnError('(frame)', 'pass columns {name: array}, an array of row objects, Arrow IPC bytes or an Arrow Table')
  }
  if (isTable(value)) return { ipc: ipc(value) }
  const columns = Array.isArray(value) ? fromRows(value) : Object.entries(value)
  return { columns: columns.map(([name, data]) => column(name, data)) }
}

function fromRows(rows) {
  const columns = new Map()
  rows.forEach((row, at) => {
    if (row === null || typeof row !== 'object') throw columnError('(rows)', `row ${at} is not an object`)
    for (const key of Object.keys(row)) {
      let data = columns.get(key)
      if (!data) columns.set(key, (data = new Array(rows.length).fill(null)))
      data[at] = row[key]
    }
  })
  return [...columns]
}

function column(name, data) {
  if (data instanceof Float64Array) return { name, kind: 'float', data }
  if (data instanceof BigInt64Array) return { name, kind: 'bigint', data }
  if (data instanceof BigUint64Array) {
    for (const value of data) if (value >= 1n << 63n) throw columnError(name, `${value} is beyond 64-bit integers`)
    return { name, kind: 'bigint', data: new BigInt64Array(data) }
  }
  if (data instanceof Float32Array) return { name, kind: 'float', data: Float64Array.from(data) }
  if (ArrayBuffer.isView(data) && !(data instanceof DataView)) return { name, kind: 'int', data: Float64Array.from(data) }
  if (!Array.isArray(data)) throw columnError(name, 'must be an array or a typed array')
  return fromArray(name, data)
}

const kindOf = (value) => (value instanceof Date ? 'time' : typeof value)

function fromArray(name, data) {
  const rows = data.length
  let first = 0
  while (first < rows && (data[first] === null || data[first] === undefined)) first++
  if (first === rows) return { name, kind: 'null', rows }
  const kind = kindOf(data[first])
  let valid
  const missing = (row) => {
    valid ??= new Uint8Array(rows).fill(1)
    valid[row] = 0
  }
  const each = (put) => {
    for (let row = 0; row < rows; row++) {
      const value = data[row]
      if (value === null || value === undefined) missing(row)
      else if (kindOf(value) === kind) put(row, value)
      else throw columnError(name, `row ${row} holds a ${kindOf(value)} where row ${first} holds a ${kind}; make them alike`)
    }
  }
  switch (kind) {
    case 'string': {
      const parts = text(data, each)
      return { name, kind: 'text', data: parts, valid }
    }
    case 'number': {
      const out = new Float64Array(rows)
      let whole = true
      each((row, value) => {
        out[row] = value
        whole &&= Number.isSafeInteger(value)
      })
      return { name, kind: whole ? 'int' : 'float', data: out, valid }
    }
    case 'bigint': {
      const out = new BigInt64Array(rows)
      each((row, value) => {
        if (BigInt.asIntN(64, value) !== value) throw columnError(name, `row ${row}: ${value} is beyond 64-bit integers`)
        out[row] = value
      })
      return { name, kind: 'bigint', data: out, valid }
    }
    case 'boolean': {
      const out = new Uint8Array(rows)
      each((row, value) => (out[row] = value ? 1 : 0))
      return { name, kind: 'bool', data: out, valid }
    }
    case 'time': {
      const out = new Float64Array(rows)
      each((row, value) => {
        const time = value.getTime()
        // An invalid Date is a missing time.
        if (Number.isNaN(time)) missing(row)
        else out[row] = time
      })
      return { name, kind: 'time', data: out, valid }
    }
    default:
      throw columnError(name, `row ${first} holds a ${kind}; give strings, numbers, booleans, Dates or nulls`)
  }
}

/** Strings joined by the chunk: one crossing for many. */
function text(data, each) {
  const parts = []
  const lengths = new Uint32Array(data.length)
  each((row, value) => (lengths[row] = value.length))
  for (let start = 0; start < data.length; start += CHUNK) {
    const end = Math.min(start + CHUNK, data.length)
    // `join` writes nothing for null and undefined.
    parts.push({ utf8: Buffer.from(data.slice(start, end).join('')), lengths: lengths.subarray(start, end) })
  }
  return parts
}

module.exports = { frame }
