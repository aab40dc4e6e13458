import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FORMAT, type Manifest, type ManifestPart, seal } from '../lib/backups/manifest.ts'
import { contest, type Measured, measure } from './measure.ts'
import { peakRow, type Row, startRow } from './rows.ts'

const ROOT = join(import.meta.dirname, '..')
const ZX = join(ROOT, 'node_modules/.bin/zx')

/** Points that a stack has after a year of one an hour, and a little more. */
const MANY = 10_000

/** What restic is measured with: enough to see how it grows, few enough to be made in minutes. */
const SNAPSHOTS = [100, 300] as const

const HOUR_MS = 3_600_000
const KEEP = { hourly: 48, daily: 30, weekly: 8, monthly: 12 }

/** Listing and the plan of a prune, against `restic snapshots` and `restic forget --dry-run`: with as many points, and with far more than it has. */
export async function againstForget(folder: string, rounds: number): Promise<Row[]> {
  const few = SNAPSHOTS[1]
  const [ofFew, ofMany] = [stackOf(folder, few), stackOf(folder, MANY)]
  const restic = [await repository(folder, SNAPSHOTS[0]), await repository(folder, few)] as const
  const forget = Object.entries(KEEP).flatMap(([rule, n]) => [`--keep-${rule}`, String(n)])
  const list = await contest(
    rounds,
    () => ofFew('backup-list'),
    () => restic[1]('snapshots'),
  )
  const plan = await contest(
    rounds,
    () => ofFew('backup-prune', '--dry-run'),
    () => restic[1]('forget', '--dry-run', ...forget),
  )
  const [listed, planned] = [await ofMany('backup-list'), await ofMany('backup-prune', '--dry-run')]
  const grown = await contest(
    rounds,
    () => restic[1]('forget', '--dry-run', ...forget),
    () => restic[0]('forget', '--dry-run', ...forget),
  )
  return [
    startRow(`list of ${few} against restic snapshots`, list, 3),
    startRow(`prune plan of ${few} against restic forget --dry-run`, plan, 3),
    secondsRow(`list of ${MANY}`, listed, 10),
    secondsRow(`prune plan of ${MANY}`, planned, 10),
    peakRow(`prune plan of ${MANY}: peak memory`, [planned]),
    { ...startRow(`restic forget: ${SNAPSHOTS[1]} snapshots against ${SNAPSHOTS[0]}`, grown, 1), required: '', ok: null },
  ]
}

/** A time that only has to stay below a limit, in seconds. */
function secondsRow(name: string, measured: Measured, most: number): Row {
  const seconds = measured.ms / 1000
  return { name, ours: `${seconds.toFixed(1)} s`, rival: '', result: '', required: `≤ ${most} s`, ok: seconds <= most, figures: { ms: measured.ms } }
}

/** A stack with so many points of an hour each; gives what runs a runbook on it. */
function stackOf(folder: string, points: number): (runbook: string, ...flags: string[]) => Promise<Measured> {
  const home = join(folder, `points-${points}`)
  rmSync(home, { recursive: true, force: true })
  mkdirSync(join(home, 'config'), { recursive: true })
  mkdirSync(join(home, 'data'))
  writeFileSync(join(home, 'data/one.txt'), 'one\n')
  writeFileSync(join(home, 'config/package.json'), '{"type":"module"}')
  writeFileSync(
    join(home, 'config/many.ts'),
    `import { defineStack, directory, files } from 'runbooks'
export default defineStack({
  name: 'many', timezone: 'Europe/Paris', data: { media: files({ directory: 'data' }) },
  backups: { keep: ${JSON.stringify(KEEP)} }, environments: { local: { stores: [directory({ path: 'store' })] } },
})`,
  )
  for (let n = 0; n < points; n++) writePoint(join(home, 'store/many/local'), Date.now() - (n + 1) * HOUR_MS)
  const env = { RUNBOOKS_HOME: home, RUNBOOKS_CONFIG: join(home, 'config'), NO_COLOR: '1' }
  return (runbook, ...flags) =>
    measure(process.execPath, [ZX, join(ROOT, `runbooks/${runbook}.ts`), '--stack=many', '--environment=local', ...flags], env)
}

/** A point of two parts with forty collections, as a small application has them; its objects are a few bytes, since no list reads them. */
function writePoint(base: string, ms: number): void {
  const begun = new Date(ms).toISOString()
  const id = `${begun.slice(0, 19).replace(/[-:]/g, '')}Z-rbe0c4`
  const sum = { bytes: 5, sha256: '0'.repeat(64) }
  const items = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`collection${i}`, { count: i * 1000, digest: '0'.repeat(64) }]))
  const part = (name: string): ManifestPart => ({
    kind: 'files',
    where: '/data',
    object: `${name}.zst`,
    frames: `${name}.zst.frames.json`,
    plain: sum,
    packed: sum,
    stored: sum,
    index: sum,
    content: { items, warnings: [] },
    begun,
    ended: begun,
    readBack: begun,
  })
  const manifest: Manifest = {
    format: FORMAT,
    id,
    stack: 'many',
    environment: 'local',
    timezone: 'Europe/Paris',
    run: id,
    label: null,
    pinned: false,
    begun,
    ended: begun,
    by: { user: 'bench', host: 'bench' },
    tools: {},
    encryption: null,
    parts: { database: part('database'), media: part('media') },
  }
  mkdirSync(join(base, id), { recursive: true })
  for (const one of Object.values(manifest.parts)) for (const file of [one.object, one.frames]) writeFileSync(join(base, id, file), '12345')
  writeFileSync(join(base, id, 'manifest.json'), seal(manifest))
}

/** A restic repository with so many snapshots of an hour each; gives what runs restic on it. */
async function repository(folder: string, snapshots: number): Promise<(...argv: string[]) => Promise<Measured>> {
  const path = join(folder, `restic-${snapshots}`)
  rmSync(path, { recursive: true, force: true })
  const env = { RESTIC_REPOSITORY: path, RESTIC_PASSWORD: 'bench', RESTIC_CACHE_DIR: join(path, 'cache') }
  const restic = (...argv: string[]) => measure('restic', argv, env)
  await restic('init', '--quiet')
  const file = join(folder, 'one.txt')
  writeFileSync(file, 'one\n')
  for (let n = 0; n < snapshots; n++) {
    const time = new Date(Date.now() - (n + 1) * HOUR_MS).toISOString().slice(0, 19).replace('T', ' ')
    await restic('backup', '--quiet', '--time', time, file)
  }
  return restic
}
