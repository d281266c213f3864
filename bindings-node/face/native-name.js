'use strict'

/** Platform, architecture and C library, as the names of native modules have them. */
function name() {
  const base = `${process.platform}-${process.arch}`
  if (process.platform === 'win32') return `${base}-msvc`
  if (process.platform !== 'linux') return base
  const glibc = process.report?.getReport().header.glibcVersionRuntime
  return `${base}-${glibc ? 'gnu' : 'musl'}`
}

module.exports = { platform: name() }
