import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { Json } from '../plan/plan.ts'

/** Every metric with its help text, in the order of the file; all are gauges with the labels stack, environment and runbook. */
const METRICS = {
  runbooks_last_run_timestamp_seconds: 'When the runbook last ended, whatever it came to.',
  runbooks_last_run_exit_code: 'Exit code of the last run: 0 is done and verified; the others are in docs/runbooks/alerts.md.',
  runbooks_last_success_timestamp_seconds: 'When the runbook last ended with exit code 0.',
  runbooks_duration_seconds: 'How long the last run took that began its work.',
  runbooks_backup_timestamp_seconds: 'When the newest backup was begun: what was written since then is not in it.',
  runbooks_backup_size_bytes: 'What the newest backup takes in its store, all parts together.',
  runbooks_certified_timestamp_seconds: 'When a drill last restored a backup and found it equal.',
  runbooks_data_loss_objective_seconds: 'The age of the newest backup that the stack allows.',
} as const

type Metric = keyof typeof METRICS

/** The labels of a sample; each name has small letters, digits and dashes. */
export type Labels = { readonly stack: string; readonly environment: string; readonly runbook: string }

/** A run as the metrics see it. Times are milliseconds. */
export type Sample = Labels & {
  readonly exit: number
  readonly endedMs: number
  /** Absent when the run was refused before it began its work. */
  readonly began?: { readonly atMs: number; readonly tookMs: number } | undefined
  readonly dataLossMs?: number | undefined
  readonly result: Json
}

const seconds = (ms: number) => ms / 1000

function field(result: Json, name: string): Json | undefined {
  return result !== null && typeof result === 'object' && !Array.isArray(result) ? (result as Record<string, Json>)[name] : undefined
}

/** The metrics that a run sets; what it does not know stays as it was. */
function valuesOf({ runbook, exit, endedMs, began, result }: Sample): Partial<Record<Metric, number>> {
  const good = exit === 0
  const stored = field(result, 'storedBytes')
  return {
    runbooks_last_run_timestamp_seconds: seconds(endedMs),
    runbooks_last_run_exit_code: exit,
    ...(good ? { runbooks_last_success_timestamp_seconds: seconds(endedMs) } : {}),
    ...(began ? { runbooks_duration_seconds: seconds(began.tookMs) } : {}),
    ...(good && began && runbook === 'backup' ? { runbooks_backup_timestamp_seconds: seconds(began.atMs) } : {}),
    ...(good && runbook === 'backup' && typeof stored === 'number' ? { runbooks_backup_size_bytes: stored } : {}),
    ...(good && field(result, 'good') === true && runbook === 'restore-drill' ? { runbooks_certified_timestamp_seconds: seconds(endedMs) } : {}),
  }
}

const LINE = /^(runbooks_[a-z_]+)(\{stack="[^"]*",environment="[^"]*",runbook="[^"]*"\}) (\S+)$/

const labelled = ({ stack, environment, runbook }: Labels) => `{stack="${stack}",environment="${environment}",runbook="${runbook}"}`

/** The text of a metrics file with a run added; what it says of other runbooks stays, and lines that are not ours go. */
export function withSample(text: string, sample: Sample): string {
  const known = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [, metric = '', labels = '', value = ''] = LINE.exec(line) ?? []
    if (metric in METRICS) known.set(metric + labels, value)
  }
  for (const [metric, value] of Object.entries(valuesOf(sample))) known.set(metric + labelled(sample), String(value))
  const backups = labelled({ ...sample, runbook: 'backup' })
  if (sample.dataLossMs !== undefined) known.set(`runbooks_data_loss_objective_seconds${backups}`, String(seconds(sample.dataLossMs)))
  return Object.entries(METRICS)
    .flatMap(([metric, help]) => {
      const lines = [...known].filter(([name]) => name.startsWith(`${metric}{`)).map(([name, value]) => `${name} ${value}`)
      return lines.length > 0 ? [`# HELP ${metric} ${help}`, `# TYPE ${metric} gauge`, ...lines.sort()] : []
    })
    .map(line => `${line}\n`)
    .join('')
}

/** A draft that old was left by a process that died; two runs that end together wait for each other for less. */
const DRAFT_DEAD_MS = 3_000
const DRAFT_LOOK_MS = 25

/** The draft is the lock: only one process can make it, and renaming it lets it go. */
async function openDraft(draft: string): Promise<number> {
  for (;;) {
    try {
      return openSync(draft, 'wx', 0o644)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const made = statSync(draft, { throwIfNoEntry: false })
      if (made && Date.now() - made.mtimeMs > DRAFT_DEAD_MS) rmSync(draft, { force: true })
      else await pause(DRAFT_LOOK_MS)
    }
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

/** Adds a run to a file for node-exporter's textfile collector; a reader sees the old file or the new one, whole. Throws the error of the file system. */
export async function writeMetrics(file: string, sample: Sample): Promise<void> {
  const draft = `${file}.tmp`
  const fd = await openDraft(draft)
  try {
    writeSync(fd, withSample(textOf(file), sample))
    fsyncSync(fd)
    // The collector runs as another user, whatever the umask of the run is.
    chmodSync(draft, 0o644)
    renameSync(draft, file)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
}
