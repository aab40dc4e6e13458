import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { count, plural } from '../lib/plan/durations.ts'
import { ROOT } from '../lib/stack/home.ts'
import { demoPaths } from './data.ts'

/** Names that the demo's own steps make in its folder, with endings. */
const OURS = ['shop.sqlite', '.shop.sqlite', 'media', '.media', 'backups', 'sandbox']

/** Runs of the stack `demo`, in the environment `local`. */
const RUN = /^(\d{8}T\d{6}Z-[a-z-]+)-demo-local-(r[0-9a-f]{6})$/

/** Names in the demo's folder that the demo did not make. */
export function strangers(folder: string): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder).filter(
    name => !OURS.some(own => name === own || name.startsWith(`${own}-`) || name.startsWith(`${own}_`) || name === `${own}.scratch`),
  )
}

/** Removes what an earlier demo left: its folder and its runs, nothing else of the home folder. */
export function clearStage(home: string): void {
  rmSync(join(home, 'demo'), { recursive: true, force: true })
  for (const run of runsOf(home)) rmSync(join(home, 'runs', run.folder), { recursive: true, force: true })
}

/** The demo's runs, oldest first, by their ids and folder names. */
export function runsOf(home: string): readonly { readonly id: string; readonly folder: string }[] {
  const runs = join(home, 'runs')
  if (!existsSync(runs)) return []
  return readdirSync(runs)
    .sort()
    .flatMap(folder => {
      const found = RUN.exec(folder)
      return found ? [{ id: `${found[1]}-${found[2]}`, folder }] : []
    })
}

/** What the demo's data are, for people: `120,600 rows in 5 tables`. */
export function rowsIn(folder: string): string {
  const database = new DatabaseSync(demoPaths(folder).database, { readOnly: true })
  try {
    const tables = database.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`).all()
    const rows = tables.reduce((sum, { name }) => sum + Number(database.prepare(`SELECT count(*) AS n FROM "${name}"`).get()?.n), 0)
    return `${count(rows)} rows in ${plural(tables.length, 'table')}`
  } finally {
    database.close()
  }
}

/** What the demo's media folder holds, for people: `545 files`. */
export function filesIn(folder: string): string {
  // readdir's own recursion follows links to folders, and would count their files twice.
  const countIn = (path: string): number =>
    readdirSync(path, { withFileTypes: true }).reduce((sum, entry) => {
      return sum + (entry.isDirectory() ? countIn(join(path, entry.name)) : entry.isFile() ? 1 : 0)
    }, 0)
  return plural(countIn(demoPaths(folder).media), 'file')
}

/** The environment of the demo's runbooks: ours, without what could change what they do. */
function environment(home: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('RUNBOOKS_'))
  return { ...Object.fromEntries(kept), RUNBOOKS_HOME: home, RUNBOOKS_CONFIG: join(ROOT, 'config') }
}

/** Starts a runbook as a person would, on this terminal when there is one. */
export function startRunbook(home: string, runbook: string, flags: readonly string[]): ChildProcess {
  const argv = [join(ROOT, 'node_modules/.bin/zx'), `runbooks/${runbook}.ts`, ...flags]
  const stdin = process.stdin.isTTY ? 'inherit' : 'ignore'
  return spawn(join(ROOT, 'node_modules/.bin/node'), argv, { cwd: ROOT, env: environment(home), stdio: [stdin, 'inherit', 'inherit'] })
}

/** The exit code of a process; of one ended by a signal, what a shell makes of it. */
export function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)))
  })
}
