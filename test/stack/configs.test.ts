import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOT } from '../../lib/stack/home.ts'
import { loadStack, makeSite } from '../../lib/stack/load.ts'
import { Settings } from '../../lib/stack/settings.ts'

const CONFIG = join(ROOT, 'config')
const examples = readdirSync(CONFIG).filter(name => name.endsWith('.example.env'))

/** Values of the shape that a setting must have; the example files leave secrets empty. */
const SHAPES: Readonly<Record<string, string>> = {
  AGE_RECIPIENT_OPS: 'age1y69vdacm46ffkn48wyx8e8sh6e9lyh258ekpmdqufxgc9d8975cq7sp2uy',
  AGE_RECIPIENT_VAULT: 'age1rc8lfp3wlhyszz8p4jy062urq7jk5nqna873fu32g3rfqlk4x4rqlkv596',
  AZURE_STORAGE_KEY: Buffer.from('key').toString('base64'),
}

/** Name and value of each setting of an example file. */
function settings(example: string): readonly (readonly [name: string, value: string])[] {
  const lines = readFileSync(join(CONFIG, example), 'utf8').split('\n')
  return lines.filter(line => /^\w+=/.test(line)).map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])
}

describe('the stacks in config/', () => {
  it('are the five, each with an example of its settings', () => {
    expect(examples.map(name => basename(name, '.example.env')).sort()).toEqual(['benevoclic', 'check-in', 'ecosyste', 'immo-express', 'veza'])
  })

  it.each(examples)('%s holds every setting that its stack file reads, and the members can be built from it', async example => {
    const stack = await loadStack(CONFIG, basename(example, '.example.env'))
    const values = Object.fromEntries(settings(example).map(([name, value]) => [name, SHAPES[name] ?? (value || 'x')]))
    for (const [name, environment] of Object.entries(stack.environments)) {
      const site = await makeSite(stack, name, new Settings({}, example, values))
      expect([...site.parts.keys()]).toEqual(Object.keys(stack.data))
      expect(site.stores.size).toBe(environment.stores.length)
    }
  })

  it.each(examples)('%s holds no secret', example => {
    for (const [name, value] of settings(example)) {
      if (/KEY|SECRET|PASSWORD|WEBHOOK|PING/.test(name)) expect(value, name).toBe('')
      else expect(value, name).not.toMatch(/:\/\/[^:]*:(?!PASSWORD)[^@/]+@/)
    }
  })
})
