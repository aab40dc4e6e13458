import { createHash } from 'node:crypto'
import { copyFileSync, createReadStream, createWriteStream, openSync, readdirSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type Measured, measure } from './measure.ts'
import { type Bench, fresh } from './pipelines.ts'
import type { Row } from './rows.ts'

const OURS = join(import.meta.dirname, 'ours.ts')
const MIB = 2 ** 20

/** What a second backup costs, when the data is the same and when a hundredth of it has changed: bytes and time, beside restic; and what frames that are found again would save, counted by their hashes. */
export async function secondTime(bench: Bench): Promise<Row[]> {
  const first = await fileHashes(bench.data)
  const rows: Row[] = []
  for (const [name, make] of Object.entries(CHANGES)) {
    const changed = join(bench.folder, 'changed')
    await make(bench, changed)
    const found = await fileHashes(changed)
    const known = new Set(first)
    const again = found.filter(hash => known.has(hash)).length / found.length
    const ours = await oursAgain(bench, changed)
    const restic = await resticAgain(bench, changed)
    rows.push({
      name: `again, ${name}`,
      ours: `${(ours.bytes / MIB).toFixed(1)} MiB, ${(ours.ms / 1000).toFixed(1)} s`,
      rival: `${(restic.bytes / MIB).toFixed(1)} MiB, ${(restic.ms / 1000).toFixed(1)} s`,
      result: `${Math.round(again * 100)} % of frames the same`,
      required: '',
      ok: null,
      figures: { ours, restic, framesTheSame: again },
    })
  }
  return rows
}

type Cost = { readonly bytes: number; readonly ms: number }

const CHANGES: Readonly<Record<string, (bench: Bench, to: string) => Promise<void>>> = {
  unchanged: async ({ data }, to) => copyFileSync(data, to),
  '1 % overwritten in one place': async ({ data, mib }, to) => overwritten(data, to, mib, 1),
  '1 % overwritten in 200 places': async ({ data, mib }, to) => overwritten(data, to, mib, 200),
  '1 % put in at the front': async ({ data, mib }, to) => {
    const more = createReadStream(data, { start: 12_345, end: 12_345 + Math.round((mib * MIB) / 100) })
    await pipeline(more, createWriteStream(to))
    await pipeline(createReadStream(data), createWriteStream(to, { flags: 'a' }))
  },
}

/** A hundredth of the bytes, in so many pieces spread evenly, replaced by others. */
function overwritten(data: string, to: string, mib: number, pieces: number): void {
  copyFileSync(data, to)
  const file = openSync(to, 'r+')
  const length = Math.round((mib * MIB) / 100 / pieces)
  for (let i = 0; i < pieces; i++) {
    const at = Math.round(((i + 0.5) * mib * MIB) / pieces)
    const text = createHash('sha512')
      .update(String(i))
      .digest('hex')
      .repeat(Math.ceil(length / 128))
      .slice(0, length)
    writeSync(file, text, Math.min(at, mib * MIB - length))
  }
}

/** Hashes of the pieces that would be frames. */
async function fileHashes(file: string): Promise<string[]> {
  const hashes: string[] = []
  for await (const chunk of createReadStream(file, { highWaterMark: MIB })) hashes.push(createHash('sha256').update(chunk).digest('hex'))
  return hashes
}

async function oursAgain(bench: Bench, changed: string): Promise<Cost> {
  const folder = fresh(bench, 'again')
  const { ms } = await measure(process.execPath, [OURS, 'backup', folder, changed])
  return { bytes: statSync(join(folder, 'archive.zst')).size, ms }
}

async function resticAgain(bench: Bench, changed: string): Promise<Cost> {
  const repository = fresh(bench, 'restic-again')
  const env = { RESTIC_REPOSITORY: join(repository, 'repository'), RESTIC_PASSWORD: 'bench', RESTIC_CACHE_DIR: join(repository, 'cache') }
  const backup = (file: string): Promise<Measured> =>
    measure('bash', ['-c', 'exec restic backup --quiet --compression auto --stdin < <(cat "$1")', 'bash', file], env)
  await measure('restic', ['init', '--quiet', '--repository-version', '2'], env)
  await backup(bench.data)
  const before = bytesBelow(env.RESTIC_REPOSITORY)
  const { ms } = await backup(changed)
  return { bytes: bytesBelow(env.RESTIC_REPOSITORY) - before, ms }
}

function bytesBelow(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}
