'use strict'
// Finds the native module: built here, or in the package for this platform.
const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { platform } = require('./native-name.js')

const here = join(__dirname, '..', `headwater.${platform}.node`)

function load() {
  if (existsSync(here)) return require(here)
  try {
    return require(`headwater-${platform}`)
  } catch (cause) {
    throw new Error(
      `headwater has no native module for ${platform}; ` +
        'in a checkout run `npm install` in bindings-node, which builds one (it needs Rust, https://rustup.rs)',
      { cause },
    )
  }
}

module.exports = load()
