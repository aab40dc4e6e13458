/** One part's way into a store or out of it as a process of its own: `part.ts backup|load|drop postgres|redis <store folder>`; addresses and keys are in the environment. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ManifestPart } from '../lib/backups/manifest.ts'
import { filesOf } from '../lib/backups/point.ts'
import { copyIn, copyOut } from '../lib/backups/transfer.ts'
import type { Doing } from '../lib/plan/plan.ts'
import { Secret } from '../lib/plan/secrets.ts'
import { postgres } from '../lib/sources/postgres/index.ts'
import { redis } from '../lib/sources/redis/index.ts'
import { directory } from '../lib/stores/directory/index.ts'

const doing: Doing = { run: 'bench', signal: new AbortController().signal, progress: () => {}, spawned: () => {} }
const [verb, kind, folder = ''] = process.argv.slice(2)
const url = new Secret('BENCH_URL', process.env.BENCH_URL ?? '')
const part = kind === 'postgres' ? postgres('part', { url, database: 'bench' }) : redis('part', { url })
const { BENCH_RECIPIENT: recipient, BENCH_IDENTITY: identity } = process.env
const store = directory({ path: folder })
const receipt = join(folder, 'receipt.json')

async function backup(): Promise<void> {
  const encryption = recipient ? ({ kind: 'age', recipients: [recipient] } as const) : undefined
  const files = { folder: 'point', ...filesOf('part', part.ending, encryption !== undefined) }
  const copied = await copyOut(part, store, files, { about: null, encryption }).run(doing)
  writeFileSync(receipt, JSON.stringify(copied))
}

async function load(): Promise<void> {
  const stored: ManifestPart = JSON.parse(readFileSync(receipt, 'utf8'))
  const identities = identity ? [new Secret('BENCH_IDENTITY', identity)] : []
  await copyIn(store, 'point', stored, identities, part.load('beside', 'rbench')).run(doing)
}

if (verb === 'backup') await backup()
else if (verb === 'load') await load()
else if (verb === 'drop') await part.unload('beside', 'rbench').run(doing)
else throw new Error(`${verb} is none of backup, load, drop`)
