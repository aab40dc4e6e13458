import type { By, Entry, Outcome } from '../plan/journal.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Cell } from '../stores/store.ts'
import { StoreError } from '../stores/store.ts'

/** Longest silence of a holder before others may take over. A holder renews three times in this. */
export const LEASE_MS = 60_000

/** Ended runs that the shared state remembers, so that a lost laptop can learn how its run was settled. */
const PAST_KEPT = 20

/** Who holds a lease until when (by the clock of the place that keeps it). */
export type Holder = { readonly run: string; readonly runbook: string; readonly by: By; readonly untilMs: number }

/** The document beside the application: one lease, its token, and the entries of runs that have not ended. */
export type Shared = {
  readonly format: 1
  readonly token: number
  readonly holder: Holder | null
  readonly open: Readonly<Record<string, readonly Entry[]>>
  readonly past: readonly { readonly run: string; readonly runbook: string; readonly outcome: Outcome }[]
}

/** Somebody else took the lease over: whatever this process would do now is theirs to decide. */
export class LeaseLost extends Error {
  readonly holder: Holder | null
  constructor(where: string, holder: Holder | null) {
    super(`the lease at ${where} ${holder ? `was taken over by ${holder.by.user}@${holder.by.host} (${holder.run})` : 'is not ours any more'}`)
    this.name = 'LeaseLost'
    this.holder = holder
  }
}

/** Another run holds the lease. */
export class LeaseBusy extends Error {
  readonly holder: Holder
  constructor(holder: Holder) {
    super(`held by ${holder.run}`)
    this.name = 'LeaseBusy'
    this.holder = holder
  }
}

const EMPTY: Shared = { format: 1, token: 0, holder: null, open: {}, past: [] }

/** The shared state behind a cell, with the time of the place that keeps it. */
export async function readShared(cell: Cell): Promise<{ shared: Shared; version: string; nowMs: number }> {
  const { body, version, nowMs } = await cell.read()
  return { shared: body === null ? EMPTY : parsed(body, cell.where), version, nowMs }
}

function parsed(body: string, where: string): Shared {
  const bad = (why: string) => new Trouble(3, `The shared state at ${where} ${why}`, { look: [`what is written at ${where}`] })
  let found: Partial<Shared> | null
  try {
    found = JSON.parse(body) as Partial<Shared> | null
  } catch {
    throw bad('is damaged: it is no JSON')
  }
  if (found?.format !== 1) throw bad('was written by another version of this toolkit')
  return found as Shared
}

/** Changes the shared state by compare-and-swap until nobody was faster; `change` may throw to refuse. */
async function update(cell: Cell, change: (shared: Shared, nowMs: number) => Shared): Promise<{ shared: Shared; nowMs: number }> {
  for (;;) {
    const { shared, version, nowMs } = await readShared(cell)
    const next = change(shared, nowMs)
    try {
      await cell.write(JSON.stringify(next), version)
      return { shared: next, nowMs }
    } catch (error) {
      if (!(error instanceof StoreError && error.fault === 'conflict')) throw error
    }
  }
}

/** How a run ended that the shared state remembers. */
export type Past = Shared['past'][number]

/** Whether an ended run did what it is for: what was only taken back or closed did not. */
const isSuccess = ({ outcome }: Past) => outcome.exit === 0 && outcome.word !== 'REVERTED' && outcome.word !== 'CLOSED'

/** Whether the last run of a runbook that is remembered, `run` aside, came to anything but success. */
export async function failedBefore(cell: Cell, runbook: string, run?: string): Promise<boolean> {
  const last = (await readShared(cell)).shared.past.find(past => past.runbook === runbook && past.run !== run)
  return last !== undefined && !isSuccess(last)
}

/** Takes a run out of the open ones whose journal says that it ended: it died between its last line here and letting the lease go. */
export async function settleEnded(cell: Cell, past: Past): Promise<void> {
  await update(cell, shared => {
    const open = Object.fromEntries(Object.entries(shared.open).filter(([run]) => run !== past.run))
    return { ...shared, open, past: [past, ...shared.past].slice(0, PAST_KEPT), holder: shared.holder?.run === past.run ? null : shared.holder }
  })
}

/** Remembers a run that was refused without a lease. Of failures in a row one is enough: more would push out runs that a lost laptop has to learn of. */
export async function remember(cell: Cell, past: Past): Promise<void> {
  if (await failedBefore(cell, past.runbook)) return
  await update(cell, shared => ({ ...shared, past: [past, ...shared.past].slice(0, PAST_KEPT) }))
}

/** Whether a look that holds no lease is the first good one after a bad one; remembers it when it differs from the one before. */
export async function turned(cell: Cell, past: Past): Promise<boolean> {
  const [last] = (await readShared(cell)).shared.past
  const [wasBad, isBad] = [last !== undefined && !isSuccess(last), !isSuccess(past)]
  if (wasBad !== isBad) await update(cell, shared => ({ ...shared, past: [past, ...shared.past].slice(0, PAST_KEPT) }))
  return wasBad && !isBad
}

/** A held lease. Appending an entry is the fence: it is refused when the token is stale, so no step starts without its intent out there. */
export class Lease {
  readonly name: string
  readonly run: string
  readonly token: number
  readonly #cell: Cell
  readonly #nested: boolean
  #queue: Promise<unknown> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  /** On our monotonic clock: when the lease runs out unless it is renewed. */
  #untilMs: number

  constructor(name: string, run: string, cell: Cell, token: number, nested: boolean) {
    this.name = name
    this.run = run
    this.token = token
    this.#cell = cell
    this.#nested = nested
    this.#untilMs = performance.now() + LEASE_MS
  }

  get where(): string {
    return this.#cell.where
  }

  /** Whether the lease is certainly still ours without asking. */
  get fresh(): boolean {
    return performance.now() < this.#untilMs
  }

  /** What a child runbook is given so that it re-enters this lease. */
  get pass(): string {
    return `${this.name}:${this.run}:${this.token}`
  }

  #change(change: (shared: Shared) => Shared): Promise<void> {
    const asked = this.#queue.then(async () => {
      const began = performance.now()
      await update(this.#cell, (shared, nowMs) => {
        if (shared.token !== this.token || !shared.holder) throw new LeaseLost(this.#cell.where, shared.holder)
        const next = change(shared)
        return next.holder ? { ...next, holder: { ...next.holder, untilMs: nowMs + LEASE_MS } } : next
      })
      this.#untilMs = began + LEASE_MS
    })
    this.#queue = asked.catch(() => undefined)
    return asked
  }

  /** Renews while the run works; `lost` is told once when somebody else took over or the time ran out. */
  keep(lost: (error: LeaseLost) => void): void {
    this.#timer = setInterval(() => {
      this.#change(shared => shared).catch(error => {
        if (error instanceof LeaseLost || !this.fresh) {
          clearInterval(this.#timer)
          lost(error instanceof LeaseLost ? error : new LeaseLost(this.#cell.where, null))
        }
      })
    }, LEASE_MS / 3)
    this.#timer.unref()
  }

  /** Puts an entry beside the lease; throws LeaseLost when the token is stale. */
  append(entry: Entry): Promise<void> {
    return this.#change(shared => ({ ...shared, open: { ...shared.open, [this.run]: [...(shared.open[this.run] ?? []), entry] } }))
  }

  /** Takes the run out of the open ones and lets the lease go; `outcome` absent leaves the run open for somebody to settle. */
  async release(ended?: { runbook: string; outcome: Outcome; run: string }): Promise<void> {
    clearInterval(this.#timer)
    await this.#change(shared => {
      // Runs that died before their first step left nothing to settle.
      const open = Object.fromEntries(
        Object.entries(shared.open).filter(([run, entries]) => run !== ended?.run && entries.some(entry => entry.at === 'intent')),
      )
      const past = ended ? [{ run: ended.run, runbook: ended.runbook, outcome: ended.outcome }, ...shared.past].slice(0, PAST_KEPT) : shared.past
      return { ...shared, open, past, holder: this.#nested ? shared.holder : null }
    })
  }

  /** Stops renewing without telling anybody, for a process that leaves at once. */
  abandon(): void {
    clearInterval(this.#timer)
  }
}

/** Takes a lease or throws LeaseBusy. `isDead` may say of a holder on this very machine that its process is gone. */
export async function acquire(
  cell: Cell,
  asked: { name: string; run: string; runbook: string; by: By; isDead: (by: By) => Promise<boolean>; pass?: string | undefined },
): Promise<Lease> {
  const before = (await readShared(cell)).shared
  const [, passRun, passToken] = asked.pass?.split(':') ?? []
  if (asked.pass?.startsWith(`${asked.name}:`) && before.holder?.run === passRun && String(before.token) === passToken) {
    return new Lease(asked.name, asked.run, cell, before.token, true)
  }
  const dead = before.holder ? await asked.isDead(before.holder.by) : true
  const { shared } = await update(cell, (now, nowMs) => {
    // The token, not the run: two operators may resume the same run at once.
    const sameDead = dead && now.token === before.token
    if (now.holder && now.holder.untilMs > nowMs && !sameDead) throw new LeaseBusy(now.holder)
    return { ...now, token: now.token + 1, holder: { run: asked.run, runbook: asked.runbook, by: asked.by, untilMs: nowMs + LEASE_MS } }
  })
  return new Lease(asked.name, asked.run, cell, shared.token, false)
}
