/** `npm run bench`: our figures against those of what people use today, on this machine. Sizes and rounds: BENCH_MIB, BENCH_ROUNDS, BENCH_ONLY, BENCH_TMP. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { secondTime } from './again.ts'
import { checksAtOnce } from './checks.ts'
import { writeDocuments } from './data.ts'
import { againstPostgres, againstRedis } from './databases.ts'
import { kubernetes } from './kubernetes.ts'
import { measure } from './measure.ts'
import { againstRestic, againstShell, againstUnzstd, type Bench, flatness } from './pipelines.ts'
import { againstForget } from './prune.ts'
import { releases } from './releases.ts'
import { type Row, table } from './rows.ts'
import { overSsh } from './ssh.ts'
import { wholeRuns } from './stacks.ts'
import { startUp } from './startup.ts'

const mib = Number(process.env.BENCH_MIB ?? 1024)
const rounds = Number(process.env.BENCH_ROUNDS ?? 5)
const say = (text: string) => process.stdout.write(`${text}\n`)

async function version(file: string, argv: readonly string[]): Promise<string> {
  return measure(file, argv).then(
    ({ stdout }) => stdout.trim().split('\n')[0] ?? '',
    () => 'not installed',
  )
}

const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  memoryMb: Math.round(totalmem() / 1e6),
  node: process.version,
  zstd: await version('zstd', ['--version']),
  restic: await version('restic', ['version']),
}
const loadBefore = loadavg()[0]!
const folder = mkdtempSync(join(process.env.BENCH_TMP ?? tmpdir(), 'bench-'))
const bench: Bench = { folder, data: join(folder, 'documents'), mib, rounds }
const small = join(folder, 'documents.small')

const parts: Readonly<Record<string, () => Promise<Row[]>>> = {
  shell: () => againstShell(bench),
  restic: () => againstRestic(bench),
  read: () => againstUnzstd(bench),
  flat: () => flatness(bench, small),
  start: () => startUp(folder, 2 * rounds + 1),
  prune: () => againstForget(folder, rounds),
  postgres: () => againstPostgres(bench),
  redis: () => againstRedis(bench),
  runs: () => wholeRuns(bench),
  again: () => secondTime(bench),
  checks: () => checksAtOnce(2 * rounds + 1),
  releases,
  kubernetes,
  ssh: () => overSsh(2 * rounds + 1),
}
const only = process.env.BENCH_ONLY?.split(',') ?? Object.keys(parts)

try {
  say(`${machine.cpu}, ${machine.cores} cores, node ${machine.node}; ${mib} MiB, ${rounds} rounds, load ${loadBefore.toFixed(1)} before`)
  await writeDocuments(bench.data, mib)
  await writeDocuments(small, mib / 4, 2)
  const rows: Row[] = []
  for (const name of only) {
    const part = parts[name]
    if (!part) throw new Error(`BENCH_ONLY=${name} is none of ${Object.keys(parts).join(', ')}`)
    rows.push(...(await part()))
    say(`${name} done`)
  }
  say(`\n${table(rows)}`)
  const time = new Date().toISOString()
  const results = join(import.meta.dirname, 'results')
  mkdirSync(results, { recursive: true })
  const file = join(results, `${time.replaceAll(/[-:]|\.\d+/g, '')}.json`)
  writeFileSync(file, `${JSON.stringify({ time, machine, mib, rounds, load: { before: loadBefore, after: loadavg()[0] }, rows }, null, 2)}\n`)
  say(`\n${file}`)
  if (rows.some(row => row.ok === false)) process.exitCode = 7
} finally {
  rmSync(folder, { recursive: true, force: true })
}
