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

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' })
  if (error || status !== 0) process.exit(1)
}

if (!loads()) {
  if (!existsSync(join(root, '..', 'core', 'Cargo.toml'))) {
    console.error('headwater: no native module for this platform, and no sources here to build one from')
    process.exit(1)
  }
  // `npm install <this folder>` links it without its tools.
  if (!existsSync(join(root, 'node_modules', '@napi-rs', 'cli'))) run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'])
  run('node', ['face/build.js', '--release'])
}
