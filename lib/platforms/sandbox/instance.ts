import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { detached, type Exit, endDetached } from '../../exec/detached.ts'
import { carriers, ended, isAlive } from '../../exec/survivors.ts'
import type { Launch } from './draft.ts'
import { probe } from './health.ts'
import { instanceCommand, markOfOne, type Named } from './launch.ts'
import { logName } from './place.ts'
import type { Instance } from './records.ts'
import { keepShort } from './tail.ts'

/** Between two starts, doubling from the first to the last, as Docker's restart policies do; forgotten after a run of STEADY_MS. */
const BACKOFF_MS = { first: 100, last: 5_000 }
const STEADY_MS = 10_000

/** Between two health checks: before the first good answer, and after it. */
const CHECK_MS = { first: 100, later: 1_000 }

/** A healthy instance is called unhealthy after so many failures in a row, as Docker does. */
const FAILURES = 3

/** Time that an instance has to end by itself after SIGTERM, in milliseconds; Docker's default. */
export const GRACE_MS = 10_000

/** Ends of an instance that are remembered. */
const EXITS_KEPT = 10

/** Time that a stray child of an instance has to end by itself, in milliseconds. */
const STRAY_GRACE_MS = 2_000

/** Which instance, and how it is run. */
export type About = Named & { readonly launch: Launch }

/** An instance that is kept running until it is stopped; `onChange` is called after each change of `seen`. */
export class Keeping {
  seen: Instance
  readonly #about: About
  readonly #onChange: () => void
  readonly #over = new AbortController()
  readonly #ended: Promise<unknown>

  /** `before` is what an earlier keeper saw of it: an instance that still runs is taken over. */
  constructor(about: About, before: Instance | undefined, onChange: () => void) {
    this.#about = about
    this.#onChange = onChange
    const { failed: _, ...known } = before ?? { port: null, process: null, at: null, restarts: 0, exits: [], health: null, failed: '' }
    this.seen = { ...known, service: about.service, n: about.n }
    this.#ended = Promise.all([this.#keep(), this.#check()])
  }

  /** Ends the instance, and its children with it. */
  async stop(): Promise<void> {
    this.#over.abort()
    if (this.seen.process) await endDetached(this.seen.process, GRACE_MS)
    await this.#ended
    await this.#endStrays()
    this.#see({ process: null, health: null })
  }

  #see(change: Partial<Instance>): void {
    this.seen = { ...this.seen, ...change }
    this.#onChange()
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#over.signal }).catch(() => {})
  }

  async #keep(): Promise<void> {
    let backoffMs = BACKOFF_MS.first
    let first = this.seen.process === null && this.seen.exits.length === 0
    while (!this.#over.signal.aborted && !this.seen.done) {
      const exit = await this.#lived(first)
      if (this.#over.signal.aborted) return
      if (exit) {
        first = false
        this.#note(exit)
        if (this.seen.done) return
        if ((this.seen.exits.at(-1)?.ranMs ?? 0) > STEADY_MS) backoffMs = BACKOFF_MS.first
      }
      await this.#pause(backoffMs)
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MS.last)
    }
  }

  #note(exit: Exit): void {
    const ranMs = Date.now() - Date.parse(this.seen.at ?? '')
    const exits = [...this.seen.exits, { ...exit, at: new Date().toISOString(), ranMs }].slice(-EXITS_KEPT)
    const done = exit.code === 0 && !this.#about.launch.port
    this.#see({ process: null, health: null, exits, ...(done ? { done: true as const } : {}) })
  }

  /** One life, from its start, or from where it is taken over, to its end; undefined when it could not even be started. */
  async #lived(first: boolean): Promise<Exit | undefined> {
    const { process } = this.seen
    // Whoever is not our child cannot be waited for, only asked for.
    if (process) {
      while (isAlive(process) && !this.#over.signal.aborted) await this.#pause(100)
      if (this.#over.signal.aborted) return undefined
      await endDetached(process, 0)
      return { code: null, signal: null }
    }
    try {
      const { ended: end, ...started } = await this.#start()
      const { failed: _, ...known } = this.seen
      this.seen = known
      this.#see({ process: started, at: new Date().toISOString(), restarts: this.seen.restarts + (first ? 0 : 1) })
      // A stop that came while it was starting found nothing to end.
      if (this.#over.signal.aborted) await endDetached(started, GRACE_MS)
      const exit = await end
      if (!this.#over.signal.aborted) await endDetached(started, 0)
      return exit
    } catch (error) {
      this.#see({ failed: error instanceof Error ? error.message : String(error) })
      return undefined
    }
  }

  async #start() {
    await this.#endStrays()
    const port = this.#about.launch.port ? await freePort(this.seen.port) : null
    if (port !== this.seen.port) this.#see({ port })
    return detached(instanceCommand(this.#about, port), this.#log)
  }

  get #log(): string {
    return join(this.#about.folder, logName(this.#about.service, this.#about.n))
  }

  /** Ends children that left the group, and an instance that an earlier keeper started right before its own end, without writing it down. */
  async #endStrays(): Promise<void> {
    const { directory, slot, service, n } = this.#about
    await ended(async () => carriers(markOfOne(directory, slot, service, n)), STRAY_GRACE_MS)
  }

  async #check(): Promise<void> {
    const { health } = this.#about.launch
    let failures = 0
    while (!this.#over.signal.aborted) {
      const { process, port } = this.seen
      if (health !== null && process && port !== null) {
        const answer = await probe(port, health, this.#over.signal)
        failures = answer.ok ? 0 : failures + 1
        const before = this.seen.health
        const shaken = before?.ok && !answer.ok && failures < FAILURES
        const changed = before?.ok !== answer.ok || before.says !== answer.says
        // An answer that came after the end of who gave it says nothing.
        if (this.seen.process === process && changed && !shaken) {
          const since = before?.ok === answer.ok ? before.since : new Date().toISOString()
          this.#see({ health: { ...answer, since } })
        }
      }
      await keepShort(this.#log)
      await this.#pause(this.seen.health?.ok ? CHECK_MS.later : CHECK_MS.first)
    }
  }
}

/** A free port of loopback; the same as before when that is still free, so that whoever knows it need not learn another. */
async function freePort(before: number | null): Promise<number> {
  return (before === null ? undefined : await listened(before)) ?? (await listened(0)) ?? 0
}

function listened(port: number): Promise<number | undefined> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : undefined))
    })
  })
}
