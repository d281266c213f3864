'use strict'
// Builds the native module: `node face/build.js [--release]`.
//
// `napi build` would do, but it always names a target, so that cargo keeps a
// second copy of every dependency, and it brings seventy packages along.
const { spawnSync } = require('node:child_process')
const { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { platform } = require('./native-name.js')
const { typeDefinitions } = require('./types.js')

const CRATE = 'headwater-node'
const root = join(__dirname, '..')
const release = process.argv.includes('--release')

function cargo(args, options) {
  const { status, stdout, error } = spawnSync('cargo', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, ...options })
  if (error || status !== 0) {
    console.error(error ? `headwater: building needs Rust (https://rustup.rs): ${error.message}` : 'headwater: the build failed')
    process.exit(1)
  }
  return stdout
}

function main() {
  const metadata = cargo(['metadata', '--format-version=1', '--no-deps'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const target = JSON.parse(metadata).target_directory
  const types = join(target, 'napi-types')
  mkdirSync(types, { recursive: true })

  // The derive macros write the types while they expand, so an old file means: expand again.
  const file = join(types, CRATE)
  const changed = (path) => statSync(path).mtimeMs
  const sources = readdirSync(join(root, 'src')).map((name) => changed(join(root, 'src', name)))
  const env = { ...process.env, NAPI_TYPE_DEF_TMP_FOLDER: types }
  if (!existsSync(file) || changed(file) < Math.max(...sources)) env.NAPI_FORCE_BUILD_HEADWATER_NODE = String(Date.now())
  cargo(['build', '-p', CRATE, ...(release ? ['--release'] : [])], { env, stdio: 'inherit' })

  const library = { darwin: 'libheadwater_node.dylib', win32: 'headwater_node.dll' }[process.platform] ?? 'libheadwater_node.so'
  const output = join(root, `headwater.${platform}.node`)
  // Renamed into place: a process may hold the old one mapped.
  copyFileSync(join(target, release ? 'release' : 'debug', library), `${output}.new`)
  renameSync(`${output}.new`, output)

  writeFileSync(join(root, 'index.d.ts'), typeDefinitions(root, file))
}

main()
