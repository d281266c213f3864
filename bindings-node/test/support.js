'use strict'
const assert = require('node:assert/strict')

/** A table of the vectors beside a Frame: floats to the bit, times in microseconds. */
function assertFrame(frame, expected, what) {
  assert.deepEqual([...frame.columnNames].sort(), Object.keys(expected).sort(), `${what}: columns`)
  for (const [name, values] of Object.entries(expected)) {
    const { valid, time } = frame.parts(name)
    const found = Array.from(frame.column(name), (value, row) => {
      if (valid && !valid[row]) return null
      if (time) return Math.round(value * 1000)
      return typeof value === 'bigint' ? Number(value) : value
    })
    assert.equal(found.length, values.length, `${what}: rows of ${name}`)
    values.forEach((value, row) => {
      const wanted = { NaN: NaN, Infinity, '-Infinity': -Infinity }[typeof found[row] === 'number' ? value : ''] ?? value
      assert.ok(Object.is(found[row], wanted) || (found[row] === 0 && wanted === 0), `${what}: ${name}[${row}] is ${found[row]}, expected ${value}`)
    })
  }
}

module.exports = { assertFrame }
