'use strict'
const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const { test } = require('node:test')
const hw = require('../index.js')

const root = join(__dirname, '..')

test('ESM and CommonJS give the same names', async () => {
  const esm = await import('../index.mjs')
  assert.deepEqual(Object.keys(esm).filter((name) => name !== 'default').sort(), Object.keys(hw).sort())
  assert.equal(esm.default, hw)
  for (const name of Object.keys(hw)) assert.equal(esm[name], hw[name])
})

test('the package resolves by its name, both ways', () => {
  const run = (...args) => execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' }).trim()
  assert.equal(run('-e', "console.log(typeof require('headwater').Frame)"), 'function')
  assert.equal(run('--input-type=module', '-e', "import hw, { Frame } from 'headwater'; console.log(hw.Frame === Frame)"), 'true')
})

test('what index.d.ts declares is there, and the other way round', () => {
  const types = readFileSync(join(root, 'index.d.ts'), 'utf8')
  const names = (text, indent) =>
    [...text.matchAll(new RegExp(`^${indent}export (?:declare )?(?:class|function|const|namespace) (\\w+)`, 'gm'))].map((m) => m[1])
  assert.deepEqual([...new Set(names(types, ''))].sort(), Object.keys(hw).sort())
  for (const [space, value] of Object.entries(hw)) {
    if (typeof value !== 'object') continue
    const blocks = [...types.matchAll(new RegExp(`^export declare namespace ${space} \\{\\n([\\s\\S]*?)^\\}`, 'gm'))].map((m) => m[1])
    assert.deepEqual([...new Set(blocks.flatMap((text) => names(text, '  ')))].sort(), Object.keys(value).sort(), space)
  }
})

test('index.d.ts is what the sources generate', () => {
  const { typeDefinitions } = require('../face/types.js')
  const metadata = execFileSync('cargo', ['metadata', '--format-version=1', '--no-deps'], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 })
  const file = join(JSON.parse(metadata).target_directory, 'napi-types', 'headwater-node')
  assert.equal(readFileSync(join(root, 'index.d.ts'), 'utf8'), typeDefinitions(root, file), 'run npm run build:debug and commit index.d.ts')
})

test('the native module cannot be used without its face', () => {
  const script = `
    const native = require('./face/native.js')
    native.simulate.market({}).then(() => process.exit(1), (error) => console.log(error.message))`
  const said = execFileSync(process.execPath, ['-e', script], { cwd: root, encoding: 'utf8' })
  assert.match(said, /load the package/)
})

test('the README works as printed', () => {
  const { mkdtempSync } = require('node:fs')
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const code = /```js\n([\s\S]*?)```/.exec(readme)[1].replace("'headwater'", JSON.stringify(join(root, 'index.mjs')))
  const cwd = mkdtempSync(join(require('node:os').tmpdir(), 'headwater-'))
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', code], { cwd, encoding: 'utf8' })
  assert.match(said, /time_decay/)
  assert.match(said, /lifetime_value/)
})
