'use strict'
// Options of JavaScript as the JSON of the core: camelCase in, snake_case out.
const { optionError, snake } = require('./error.js')

/** Under these the keys are the caller's own words (namespaces, columns, channels): left as they are. */
const CALLERS_WORDS = new Set([
  'at',
  'byKind',
  'by_kind',
  'channels',
  'clickIds',
  'click_ids',
  'lookbackByChannel',
  'lookback_by_channel',
  'lookbackByKind',
  'lookback_by_kind',
  'namespaces',
  'priors',
  'references',
  'rewards',
  'sources',
])

const RUN = new Set(['signal', 'onProgress', 'seed', 'threads'])

function plain(value, path, words) {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      if (!Number.isFinite(value)) throw optionError(path, `${value} is not a finite number`)
      return value
    case 'bigint':
      if (!Number.isSafeInteger(Number(value))) throw optionError(path, `${value} is too large`)
      return Number(value)
    case 'object':
      break
    default:
      throw optionError(path, `a ${typeof value} cannot be an option`)
  }
  if (value === null) return null
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw optionError(path, 'is an invalid Date')
    return value.toISOString()
  }
  // An attribution model, or rules of channels.
  if (typeof value.spec === 'function') return JSON.parse(value.spec())
  if (ArrayBuffer.isView(value)) value = Array.from(value)
  if (value instanceof Set) value = [...value]
  if (value instanceof Map) value = Object.fromEntries(value)
  if (Array.isArray(value)) return value.map((item, i) => plain(item, `${path}[${i}]`, false))
  const out = {}
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue
    const at = path ? `${path}.${key}` : key
    out[words ? key : snake(key)] = plain(item, at, CALLERS_WORDS.has(key))
  }
  return out
}

const json = (value) => JSON.stringify(plain(value, 'options', false))

/** The options of a call: what concerns the run, and the rest as JSON. */
function options(given) {
  if (given === undefined || given === null) return { json: '{}' }
  if (typeof given !== 'object' || Array.isArray(given)) throw optionError('options', 'must be an object')
  const { signal, onProgress, seed, threads } = given
  if (signal !== undefined && !(signal && typeof signal.addEventListener === 'function')) {
    throw optionError('signal', 'must be an AbortSignal')
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') throw optionError('onProgress', 'must be a function')
  const out = { aborted: signal?.aborted === true }
  if (seed !== undefined) {
    if (typeof seed !== 'bigint' && !Number.isSafeInteger(seed)) throw optionError('seed', 'must be a whole number')
    const wide = BigInt(seed)
    if (wide < 0n || wide >= 1n << 64n) throw optionError('seed', 'must be at least 0 and below 2^64')
    out.seed = wide.toString()
  }
  if (threads !== undefined) {
    if (!Number.isInteger(threads) || threads < 0 || threads > 4096) {
      throw optionError('threads', 'must be a whole number, 0 for one a core')
    }
    out.threads = threads
  }
  const rest = Object.fromEntries(Object.entries(given).filter(([key]) => !RUN.has(key)))
  out.json = JSON.stringify(plain(rest, '', false))
  return out
}

module.exports = { json, options }
