'use strict'
// Builds the native module from source where none is there.
const { spawnSync } = require('node:child_process')
const { existsSync } = require('node:fs')
const { join } = require('node:path')

const root = join(__dirname, '..')

function loads() {
  try {
    require('./native.js')
    return true
  } catch {
    return false
  }
}

if (!loads()) {
  if (!existsSync(join(root, '..', 'core', 'Cargo.toml'))) {
    console.error('headwater: no native module for this platform, and no sources here to build one from')
    process.exit(1)
  }
  const { status } = spawnSync(process.execPath, ['face/build.js', '--release'], { cwd: root, stdio: 'inherit' })
  process.exit(status ?? 1)
}
