import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { contest, type Measured, measure } from './measure.ts'
import { peakRow, type Row, ratioRow } from './rows.ts'

const OURS = join(import.meta.dirname, 'ours.ts')

/** Where the bench works, and on what: `data` is a file of `mib` MiB. */
export type Bench = { readonly folder: string; readonly data: string; readonly mib: number; readonly rounds: number }

/** Our backup against what a shell can do: the same two hashes and compression, in as many processes. */
export async function againstShell(bench: Bench): Promise<Row[]> {
  const script = 'cat "$1" | tee >(sha256sum > "$2.sum") | zstd -q -3 -T2 | tee >(sha256sum > "$2.zst.sum") > "$2.zst"'
  const rival = () => {
    const out = join(fresh(bench, 'shell'), 'archive')
    return measure('bash', ['-o', 'pipefail', '-c', script, 'bash', bench.data, out])
  }
  const result = await contest(bench.rounds, () => backup(bench, [bench.data]), rival)
  const name = 'backup against tee, sha256sum, zstd -3 -T2'
  return [ratioRow(name, result, 1.2, bench.mib), peakRow('backup: peak memory', result.ours, 160)]
}

/** Our backup against restic's of the same stream, each time into a repository of its own. */
export async function againstRestic(bench: Bench): Promise<Row[]> {
  const rival = async () => {
    const repository = fresh(bench, 'restic')
    const env = { RESTIC_REPOSITORY: repository, RESTIC_PASSWORD: 'bench', RESTIC_CACHE_DIR: join(repository, 'cache') }
    await measure('restic', ['init', '--quiet'], env)
    return measure('bash', ['-c', 'exec restic backup --quiet --stdin < <(cat "$1")', 'bash', bench.data], env)
  }
  const result = await contest(bench.rounds, () => backup(bench, [bench.data]), rival)
  return [ratioRow('backup against restic backup --stdin', result, 1.5, bench.mib), peakRow('restic: peak memory', result.rival)]
}

/** Reading a backup back, for itself and into a loader, against decompressing and hashing it in a shell. */
export async function againstUnzstd(bench: Bench): Promise<Row[]> {
  const folder = fresh(bench, 'read')
  await measure(process.execPath, [OURS, 'backup', folder, bench.data])
  const rival = () => measure('bash', ['-o', 'pipefail', '-c', 'zstd -dc "$1" | sha256sum', 'bash', join(folder, 'archive.zst')])
  const rows: Row[] = []
  for (const verb of ['verify', 'restore']) {
    const result = await contest(bench.rounds, () => measure(process.execPath, [OURS, verb, folder]), rival)
    rows.push(ratioRow(`${verb} against zstd -dc, sha256sum`, result, 1, bench.mib), peakRow(`${verb}: peak memory`, result.ours))
  }
  rmSync(folder, { recursive: true })
  return rows
}

/** Peak memory from a small backup to one sixteen times as large; the same file several times over is as good for that. */
export async function flatness(bench: Bench, small: string): Promise<Row[]> {
  const little = await backup(bench, [small])
  const much = await backup(bench, Array<string>(4).fill(bench.data))
  return [peakRow(`backup of ${bench.mib / 4} MiB: peak memory`, [little], 160), peakRow(`backup of ${bench.mib * 4} MiB: peak memory`, [much], 160)]
}

function backup(bench: Bench, files: readonly string[]): Promise<Measured> {
  return measure(process.execPath, [OURS, 'backup', fresh(bench, 'ours'), ...files])
}

/** An empty folder; the one of the round before is removed outside the time that is taken. */
export function fresh(bench: Bench, name: string): string {
  const folder = join(bench.folder, name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  return folder
}
