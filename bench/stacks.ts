import { linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { contest, type Measured, measure } from './measure.ts'
import type { Bench } from './pipelines.ts'
import { type Row, startRow } from './rows.ts'

const ROOT = join(import.meta.dirname, '..')
const ZX = join(ROOT, 'node_modules/.bin/zx')

/** Whole runs of the backup runbook on a folder with the documents, reading back included: two stores against one, age against none. */
export async function wholeRuns(bench: Bench): Promise<Row[]> {
  const recipient = await identityToRecipient(await generateX25519Identity())
  const one = stackOf(bench, 'one', { stores: ['near'] })
  const two = stackOf(bench, 'two', { stores: ['near', 'far'] })
  const locked = stackOf(bench, 'locked', { stores: ['near'], recipient })
  const stores = await contest(bench.rounds, two, one)
  const age = await contest(bench.rounds, locked, one)
  // Nothing is required of these: they say what a wish costs.
  return [
    { ...startRow('run to two stores against one', stores, 1), required: '', ok: null },
    { ...startRow('run with age against without', age, 1), required: '', ok: null },
  ]
}

/** Writes a stack and gives what backs it up once, each time into empty stores. */
function stackOf(bench: Bench, name: string, { stores, recipient }: { stores: readonly string[]; recipient?: string }): () => Promise<Measured> {
  const home = join(bench.folder, `run-${name}`)
  mkdirSync(join(home, 'config'), { recursive: true })
  mkdirSync(join(home, 'data'))
  linkSync(bench.data, join(home, 'data/documents'))
  writeFileSync(join(home, 'config/package.json'), '{"type":"module"}')
  const encryption = recipient ? `backups: { encryption: age({ recipients: ['${recipient}'] }) },` : ''
  writeFileSync(
    join(home, 'config/bench.ts'),
    `import { age, defineStack, directory, files } from 'runbooks'
void age
export default defineStack({ name: 'bench', timezone: 'UTC', data: { media: files({ directory: 'data' }) }, ${encryption}
  environments: { local: { stores: [${stores.map(store => `directory({ path: '${store}', name: '${store}' })`).join(', ')}] } } })`,
  )
  const env = { RUNBOOKS_HOME: home, RUNBOOKS_CONFIG: join(home, 'config'), NO_COLOR: '1' }
  return () => {
    for (const store of stores) rmSync(join(home, store), { recursive: true, force: true })
    return measure(process.execPath, [ZX, join(ROOT, 'runbooks/backup.ts'), '--stack=bench', '--environment=local', '--yes'], env)
  }
}
