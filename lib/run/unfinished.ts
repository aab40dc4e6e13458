import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { isAlive } from '../exec/survivors.ts'
import type { By, Entry } from '../plan/journal.ts'
import { Trouble } from '../plan/outcome.ts'
import { isOpen, Journal, readJournal, runFolders } from './journal.ts'
import { readShared, type Shared } from './leases.ts'
import { cellOf, type Session } from './session.ts'

type Planned = Extract<Entry, { at: 'planned' }>

/** A run that began and has not ended, and that no process works on any more. */
export type Unfinished = { readonly planned: Planned; readonly entries: readonly Entry[]; readonly folder: string; readonly here: boolean }

/** Whether a process of this machine is certainly gone; of another machine nobody can say. */
export async function isDeadHere(by: By): Promise<boolean> {
  return by.host === hostname() && !isAlive(by)
}

/** The folder name of a run. */
export function runFolder(home: string, run: string, stack: string, environment: string): string {
  const mark = run.lastIndexOf('-')
  return join(home, 'runs', `${run.slice(0, mark)}-${stack}-${environment}${run.slice(mark)}`)
}

const plannedIn = (entries: readonly Entry[]) => entries.find((entry): entry is Planned => entry.at === 'planned')

/** Who works on these entries now: the process that planned them, or the one that last settled them. */
function workerOf(entries: readonly Entry[]): By | undefined {
  const last = entries.findLast(entry => entry.at === 'planned' || entry.at === 'settling')
  return last?.at === 'planned' || last?.at === 'settling' ? last.by : undefined
}

/** Runs left open on this machine's disk. One that was settled from elsewhere is closed here with the outcome it had there. */
async function openHere(session: Session, lease: string, shared: Shared | undefined): Promise<Unfinished[]> {
  const found: Unfinished[] = []
  for (const folder of runFolders(session.home, session.site.stack, session.site.environment)) {
    if (!existsSync(join(folder, 'journal.jsonl'))) continue
    const entries = readJournal(folder)
    const planned = plannedIn(entries)
    const worker = workerOf(entries)
    if (!planned || !isOpen(entries) || !planned.leases.includes(lease) || !worker || isAlive(worker)) continue
    const elsewhere = shared?.past.find(past => past.run === planned.run)
    if (elsewhere || !entries.some(entry => entry.at === 'intent')) closeQuietly(folder, elsewhere?.outcome)
    else found.push({ planned, entries, folder, here: true })
  }
  return found
}

/** Ends a journal whose run touched nothing, or was settled from another machine. */
function closeQuietly(folder: string, outcome?: Extract<Entry, { at: 'ended' }>['outcome']): void {
  const journal = Journal.reopen(folder)
  journal.append({
    at: 'ended',
    outcome: outcome ?? { word: 'NOT DONE', exit: 4, says: 'it died before it did anything', verified: new Date().toISOString() },
  })
  journal.close()
}

/** Runs that died and are not settled, from this disk and from the shared state, oldest first. A holder that is alive is not among them. */
export async function findUnfinished(session: Session, lease: string): Promise<Unfinished[]> {
  const { shared, nowMs } = await readShared(cellOf(session.site, lease))
  const here = await openHere(session, lease, shared)
  const holder = shared.holder
  const worked = holder && holder.untilMs > nowMs && !(await isDeadHere(holder.by)) ? holder.run : undefined
  const known = new Set(here.map(({ planned }) => planned.run))
  const there = Object.entries(shared.open).flatMap(([run, entries]): Unfinished[] => {
    const planned = plannedIn(entries)
    if (!planned || run === worked || known.has(run) || session.consents.subject !== `${planned.stack}/${planned.environment}`) return []
    return [{ planned, entries, folder: runFolder(session.home, run, planned.stack, planned.environment), here: false }]
  })
  return [...here.filter(({ planned }) => planned.run !== worked), ...there].sort((a, b) => (a.planned.t < b.planned.t ? -1 : 1))
}

/** The journal of an unfinished run, opened to go on with; from the shared state where it was made on another machine. */
export function reopened(run: Unfinished): Journal {
  if (!run.here) return Journal.adopt(run.folder, renumbered(run.entries))
  return Journal.reopen(run.folder)
}

/** The shared state holds only some entries; here they count from 1 again. */
const renumbered = (entries: readonly Entry[]) => entries.map((entry, i) => ({ ...entry, n: i + 1 }))

/** The unfinished run that a person named, by its id, its folder or a part of them. */
export function pick(runs: readonly Unfinished[], named: string): Unfinished {
  const [found, second] = runs.filter(({ planned, folder }) => planned.run.includes(named) || basename(folder).includes(named))
  if (!found || second)
    throw new Trouble(2, `${second ? 'Several unfinished runs match' : 'There is no unfinished run'} "${named}"`, {
      look: runs.map(({ planned }) => planned.run),
    })
  return found
}
