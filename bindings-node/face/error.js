'use strict'

/** What went wrong, with a `code` that is the same in every language. */
class HeadwaterError extends Error {
  constructor(code, message, details = {}) {
    super(message)
    this.code = code
    for (const [key, value] of Object.entries(details)) if (value !== undefined && value !== null) this[key] = value
  }
}
Object.defineProperty(HeadwaterError.prototype, 'name', { value: 'HeadwaterError', configurable: true, writable: true })

const camel = (name) => name.replace(/_([a-z0-9])/g, (_, c) => c.toUpperCase())
const snake = (name) => name.replace(/(?<=[a-z0-9])[A-Z]/g, (c) => `_${c.toLowerCase()}`)

/** The error of a native call: option names as JavaScript spells them. */
function error(code, message, column, row, option) {
  if (code === 'HW_CANCELLED') return aborted()
  let text = message
  // What an option may be is spelt as it is given; the names of options are not.
  const [told, ...values] = text.split(/(?=unknown variant )/)
  if (code === 'HW_OPTION') {
    text = told.replace(/`((?:[a-z0-9_]+\.)*[a-z]+(?:_[a-z0-9]+)+)`/g, (_, name) => `\`${camel(name)}\``) + values.join('')
  }
  text = text.replace('on_invalid="drop"', 'onInvalid: "drop"')
  return new HeadwaterError(code, text, { column, row, option: option && camel(option) })
}

function aborted(reason) {
  const out = new HeadwaterError('HW_CANCELLED', 'the work was cancelled')
  Object.defineProperty(out, 'name', { value: 'AbortError', enumerable: false, configurable: true, writable: true })
  if (reason !== undefined) out.cause = reason
  return out
}

const columnError = (column, reason) => new HeadwaterError('HW_COLUMN', `column \`${column}\`: ${reason}`, { column })
const optionError = (option, reason) => new HeadwaterError('HW_OPTION', `option \`${option}\`: ${reason}`, { option })

module.exports = { HeadwaterError, error, aborted, columnError, optionError, camel, snake }
