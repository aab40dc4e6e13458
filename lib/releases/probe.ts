import { Agent, request as plainRequest } from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import type { Door } from '../platforms/platform.ts'
import { type Answer, FlightRecord, PATIENCE_MS } from './flight-record.ts'

/** How many requests go over new connections, kept-alive ones, and the one connection that is held from beginning to end. */
const WAYS = ['new', 'new', 'kept', 'kept', 'held'] as const

/**
 * Asks the real front door many times a second, over new, kept-alive and one long-held connection, until it is stopped.
 * A failure is no answer, a broken connection, or a status of 500 and above; a connection that the server ends in peace is none.
 */
export class FrontDoorProbe {
  #record = new FlightRecord()
  /** When the requests were made that have no answer yet. */
  readonly #open = new Set<{ readonly atMs: number }>()
  readonly #began = performance.now()
  readonly #url: URL
  readonly #headers: Readonly<Record<string, string>>
  readonly #agents: Readonly<Record<(typeof WAYS)[number], Agent>>
  readonly #timer: NodeJS.Timeout
  #asked = 0

  constructor(door: Door, path: string, perSecond: number) {
    this.#url = new URL(path, door.url)
    this.#headers = door.headers
    const Kind = this.#url.protocol === 'https:' ? SecureAgent : Agent
    this.#agents = {
      new: new Kind({ keepAlive: false }),
      kept: new Kind({ keepAlive: true, maxSockets: 8 }),
      held: new Kind({ keepAlive: true, maxSockets: 1 }),
    }
    const due = () => Math.floor((this.nowMs * perSecond) / 1000)
    // As many as are due: a busy machine delays timers, and must not thin the record out.
    this.#timer = setInterval(() => {
      for (let n = due() - this.#asked; n > 0; n -= 1) this.#next()
    }, 1000 / perSecond)
    this.#next()
  }

  #next(): void {
    const way = WAYS[this.#asked % WAYS.length] ?? 'new'
    this.#asked += 1
    const made = { atMs: this.nowMs }
    this.#open.add(made)
    this.#ask(way, failed => {
      if (this.#open.delete(made)) this.#record.add({ ...made, tookMs: this.nowMs - made.atMs, failed })
    })
  }

  #ask(way: (typeof WAYS)[number], answered: (failed: string | null) => void): void {
    const ask = this.#url.protocol === 'https:' ? secureRequest : plainRequest
    const asked = ask(this.#url, { agent: this.#agents[way], headers: this.#headers, timeout: PATIENCE_MS }, response => {
      const status = response.statusCode ?? 0
      response.on('end', () => answered(status >= 500 ? `status ${status}` : null))
      response.on('error', error => answered(error.message))
      response.resume()
    })
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${PATIENCE_MS / 1000} s`)))
    asked.on('error', error => {
      // A kept connection that the server ended in the very moment of the asking is asked again over a new one, as every client does.
      const ended = asked.reusedSocket && 'code' in error && error.code === 'ECONNRESET'
      if (ended && way !== 'new') this.#ask('new', answered)
      else answered(error.message)
    })
    asked.end()
  }

  /** What was answered so far, as a whole. */
  get record(): FlightRecord {
    return this.#record
  }

  /** What was asked of late; what has no answer yet counts with the time that it waits already. */
  recent(): readonly Answer[] {
    const now = this.nowMs
    const open = [...this.#open].map(({ atMs }) => ({ atMs, tookMs: now - atMs, failed: null, open: true as const }))
    return [...this.#record.recent(now), ...open]
  }

  /** Begins the record anew with the next good answer: where nothing served before, what failed until then is no failure. */
  countFromFirstGood(): void {
    this.#record = new FlightRecord('first good')
  }

  /** Milliseconds since the recorder began. */
  get nowMs(): number {
    return performance.now() - this.#began
  }

  /** Stops asking; connections are closed. */
  stop(): void {
    clearInterval(this.#timer)
    this.#open.clear()
    for (const agent of Object.values(this.#agents)) agent.destroy()
  }
}
