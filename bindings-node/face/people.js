'use strict'
// The column `customer` beside those of the caller, in the caller's own kind of frame.

const bytes = (value) => value instanceof ArrayBuffer || ArrayBuffer.isView(value)

/** `assign(events)`: the events with their customers. */
function assign(Frame) {
  return async function (events, options) {
    const found = await this.assignCustomer(events, options)
    if (events === undefined || events === null || bytes(events)) return found
    if (events instanceof Frame) return events.beside(found)
    if (!Array.isArray(events) && typeof events.getChild === 'function') {
      const { Table, Utf8, vectorFromArray } = require('apache-arrow')
      return events.assign(new Table({ customer: vectorFromArray(found.column('customer'), new Utf8()) }))
    }
    const customer = found.column('customer')
    return Array.isArray(events) ? events.map((row, i) => ({ ...row, customer: customer[i] })) : { ...events, customer }
  }
}

module.exports = { assign }
