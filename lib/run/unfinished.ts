import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { isAlive } from '../exec/survivors.ts'
import type { By, Entry } from '../plan/journal.ts'
import { canonical } from '../plan/nodes.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Cell } from '../stores/store.ts'
import { isOpen, Journal, readJournal, runFolders } from './journal.ts'
import { readShared, type Shared, settleEnded } from './leases.ts'
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
async function openHere(session: Session, lease: string, shared: Shared): Promise<Unfinished[]> {
  const found: Unfinished[] = []
  for (const folder of runFolders(session.home, session.site.stack, session.site.environment)) {
    if (!existsSync(join(folder, 'journal.jsonl'))) continue
    const read = readJournal(folder)
    const planned = plannedIn(read)
    // The name of another stack may end with the name of this one.
    if (planned && session.consents.subject !== `${planned.stack}/${planned.environment}`) continue
    const entries = merged(read, shared.open[planned?.run ?? ''] ?? [])
    const worker = workerOf(entries)
    if (!planned || !isOpen(entries) || !planned.leases.includes(lease) || !worker || isAlive(worker)) continue
    const elsewhere = shared.past.find(past => past.run === planned.run)
    const over = elsewhere !== undefined || !entries.some(entry => entry.at === 'intent')
    if (!over) found.push({ planned, entries, folder, here: true })
    else if (!session.options.dryRun) closeQuietly(folder, elsewhere?.outcome)
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
  const cell = cellOf(session.site, lease)
  const { shared, nowMs } = await readShared(cell)
  const ended = await endedHere(session, cell, shared)
  const here = await openHere(session, lease, shared)
  const holder = shared.holder
  const worked = holder && holder.untilMs > nowMs && !(await isDeadHere(holder.by)) ? holder.run : undefined
  const known = new Set(here.map(({ planned }) => planned.run))
  const there = Object.entries(shared.open).flatMap(([run, entries]): Unfinished[] => {
    const planned = plannedIn(entries)
    if (!planned || run === worked || known.has(run) || ended.has(run) || session.consents.subject !== `${planned.stack}/${planned.environment}`)
      return []
    // No step begins before its intent is out there: without one, nothing was touched.
    if (!entries.some(entry => entry.at === 'intent')) return []
    return [{ planned, entries, folder: runFolder(session.home, run, planned.stack, planned.environment), here: false }]
  })
  return [...here.filter(({ planned }) => planned.run !== worked), ...there].sort((a, b) => (a.planned.t < b.planned.t ? -1 : 1))
}

/** Runs that the shared state holds open although their journal on this disk has ended; they are settled there, too. */
async function endedHere(session: Session, cell: Cell, shared: Shared): Promise<ReadonlySet<string>> {
  const ended = new Set<string>()
  for (const run of Object.keys(shared.open)) {
    const folder = runFolder(session.home, run, session.site.stack, session.site.environment)
    if (!existsSync(join(folder, 'journal.jsonl'))) continue
    const entries = readJournal(folder)
    const last = entries.at(-1)
    const worker = workerOf(entries)
    if (last?.at !== 'ended' || isOpen(entries) || (worker && isAlive(worker))) continue
    ended.add(run)
    if (!session.options.dryRun) await settleEnded(cell, { run, runbook: plannedIn(entries)?.runbook ?? '', outcome: last.outcome })
  }
  return ended
}

/** The journal of an unfinished run as it is now, opened to go on with. Trouble(3) when somebody else settled it while this process waited for the lease. */
export async function reopened(session: Session, run: Unfinished): Promise<Journal> {
  const { shared } = await readShared(cellOf(session.site, session.definition.lease))
  const open = shared.open[run.planned.run] ?? []
  const local = run.here ? readJournal(run.folder) : []
  if (shared.past.some(past => past.run === run.planned.run) || !isOpen(run.here ? local : open))
    throw new Trouble(3, `${run.planned.run} was settled meanwhile`, { look: [run.folder] })
  const entries = merged(local, open)
  return entries === local ? Journal.reopen(run.folder) : Journal.adopt(run.folder, renumbered(entries))
}

/** Both tell the same story until another machine went on with it: what only the shared state knows came after everything here. */
function merged(local: readonly Entry[], shared: readonly Entry[]): readonly Entry[] {
  const known = new Set(local.map(told))
  const beyond = shared.filter(entry => !known.has(told(entry)))
  return beyond.length === 0 ? local : [...local, ...beyond]
}

/** An entry without its number, which each machine counts for itself. */
const told = ({ n: _, ...fact }: Entry) => canonical(fact)

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
