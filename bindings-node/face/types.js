'use strict'
// `index.d.ts` from `src/types.d.ts` and what the derive macros wrote while they expanded.
const { readFileSync } = require('node:fs')
const { join } = require('node:path')

/** Classes that only the face sees. */
const HIDDEN = new Set(['ContractualModel', 'DynamicModel', 'JourneyParts', 'PurchaseModel'])

/** The lines of a declaration, indented by its braces. */
function indent(text, depth) {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
    .map((line) => {
      const comment = line.startsWith('*')
      const net = comment || line.startsWith('/*') ? 0 : line.split('{').length - line.split('}').length
      if (net < 0) depth += net
      const out = `${'  '.repeat(depth)}${comment ? ' ' : ''}${line}`
      if (net > 0) depth += net
      return out
    })
    .join('\n')
}

function declaration({ kind, name, js_doc: doc, def }, body, depth) {
  const declare = depth ? 'export' : 'export declare'
  const text = {
    fn: () => `${declare} ${def}`,
    struct: () => `${declare} class ${name} {\n${body}\n}`,
    interface: () => `export interface ${name} {\n${def}\n}`,
  }[kind]
  if (!text) throw new Error(`no declaration for ${kind} ${name}`)
  return indent(`${doc}\n${text()}`, depth)
}

function typeDefinitions(root, file) {
  const defs = readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line))
  const bodies = new Map()
  for (const { kind, name, def } of defs) if (kind === 'impl') bodies.set(name, `${bodies.get(name) ?? ''}${def}\n`)
  const spaces = new Map([[undefined, []]])
  for (const def of defs) {
    if (def.kind === 'impl' || HIDDEN.has(def.name)) continue
    if (!spaces.has(def.js_mod)) spaces.set(def.js_mod, [])
    spaces.get(def.js_mod).push(declaration(def, bodies.get(def.name) ?? '', def.js_mod ? 1 : 0))
  }
  const parts = [...spaces].map(([space, parts]) => {
    const text = parts.join('\n\n')
    return space ? `export declare namespace ${space} {\n${text}\n}` : text
  })
  return `${readFileSync(join(root, 'src', 'types.d.ts'), 'utf8').trimEnd()}\n\n${parts.join('\n\n')}\n`
}

module.exports = { typeDefinitions }
