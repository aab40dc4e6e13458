import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isOpen, readJournal } from './journal.ts'

/** Ended runs older than this are of no use any more; the shared state and the backups do not depend on them. */
const KEEP_MS = 90 * 86_400_000

/** Removes old ended runs from this machine's disk; never an open one, and never fails the run that calls it. */
export function pruneRuns(home: string, nowMs = Date.now()): void {
  for (const folder of foldersIn(join(home, 'runs'))) {
    try {
      if (nowMs - statSync(folder).mtimeMs >= KEEP_MS && !isOpen(readJournal(folder))) rmSync(folder, { recursive: true })
    } catch {
      // An unreadable old run is left for a person; pruning is no part of any outcome.
    }
  }
}

function foldersIn(runs: string): string[] {
  try {
    return readdirSync(runs).map(name => join(runs, name))
  } catch {
    return []
  }
}
