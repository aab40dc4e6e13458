import { feed, prints } from '../../exec/process.ts'
import { size } from '../../plan/durations.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import type { Load, Place } from '../source.ts'
import type { Server } from './address.ts'
import { cliTrouble, evaluated, login, pipe } from './cli.ts'
import { Expiries } from './expiries.ts'
import { type KeyRecord, type Piece, RdbReader } from './rdb/reader.ts'
import { Tally } from './rdb/tally.ts'
import { command, payload } from './rdb/writer.ts'
import { loadDrill } from './scratch.ts'
import { CLAIM, LOADED } from './scripts.ts'
import type { Site } from './site.ts'
import { piecesOf } from './snapshot.ts'
import { fitState, type State } from './state.ts'

/** Loads a dump key by key (`RESTORE`) into databases of the server that are empty, one for each that the dump has. */
export function loadOf(site: Site, place: Place, run: string): Load {
  if (place === 'scratch' && !site.scratch) return loadDrill(site, run)
  const server = place === 'scratch' ? (site.scratch as Server) : site.live
  return {
    prints: `RESTORE key by key | ${prints(pipe(server))}`,
    async take(bytes, doing: Doing) {
      const state = await fitState(server, doing)
      const held = state.dbs.find(({ mark }) => mark && mark.run === run && mark.place === place)
      if (held) throw new Trouble(5, `Database ${held.db} already holds what run ${run} loaded. Unload it first.`)
      const loading = new Loading(server, state, place, run, doing)
      const said = await feed(pipe(server), loading.commands(bytes), doing).catch(error => {
        throw cliTrouble(error, server)
      })
      // redis-cli counts the answers; one that is missing is a key that is missing.
      const replies = Number(/replies: (\d+)/.exec(said.stdout)?.[1])
      if (replies !== loading.sent) throw new Trouble(4, `Redis answered ${replies} of ${loading.sent} commands.`)
      await loading.finish()
    },
  }
}

/** A share of `maxmemory` that is left alone: beyond it a server with an eviction policy would throw live keys away to make room. */
const MEMORY_SHARE = 0.95
/** The longest value that a server takes in one command (`proto-max-bulk-len`), in bytes. */
const LONGEST = 512 * 1024 * 1024

class Loading {
  readonly #server: Server
  readonly #state: State
  readonly #place: Place
  readonly #run: string
  readonly #doing: Doing
  readonly #reader = new RdbReader()
  readonly #sinceMs = Date.now()
  readonly #taken = new Map<number, { of: number; tally: Tally; expiries: Expiries }>()
  #of = -1
  #into = -1
  sent = 0

  constructor(server: Server, state: State, place: Place, run: string, doing: Doing) {
    this.#server = server
    this.#state = state
    this.#place = place
    this.#run = run
    this.#doing = doing
  }

  async *commands(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const words = login(this.#server)
    if (words) yield this.#command(...words)
    for await (const pieces of piecesOf(bytes, this.#reader)) {
      const made: Buffer[] = []
      for (const piece of pieces) {
        if (piece.kind === 'about') this.#mustHaveRoom(piece)
        if (piece.kind !== 'key') continue
        if (piece.db !== this.#of) made.push(await this.#select(piece.db))
        made.push(...this.#restore(piece))
      }
      if (made.length > 0) yield Buffer.concat(made)
    }
  }

  /** Says of every database that it is whole, with what it was given. */
  async finish(): Promise<void> {
    for (const [db, { tally, expiries, of }] of this.#taken) {
      const all = tally.keys().get(of)?.expiring
      const loaded = { ...(all && all.count > 0 ? { expiring: JSON.stringify(expiries.timetable(all)) } : {}) }
      const answer = await evaluated<{ error?: string }>(
        this.#server,
        LOADED,
        [String(db), this.#run, this.#place, JSON.stringify({ full: true, ...loaded })],
        this.#doing,
      )
      if (answer.error) throw new Trouble(5, `Database ${db} lost its mark while it was loaded: somebody else used or emptied it.`)
    }
  }

  #command(...words: readonly (string | Buffer)[]): Buffer {
    this.sent++
    return command(...words)
  }

  async #select(of: number): Promise<Buffer> {
    const taken = await evaluated<Claimed>(this.#server, CLAIM, [this.#run, this.#place, String(of)], this.#doing)
    if (taken.error || taken.db === undefined) throw notTaken(taken, of)
    this.#of = of
    this.#into = taken.db
    this.#taken.set(taken.db, { of, tally: new Tally(), expiries: new Expiries(this.#sinceMs) })
    return this.#command('SELECT', String(taken.db))
  }

  #restore(key: KeyRecord): Buffer[] {
    const { tally, expiries } = this.#taken.get(this.#into)!
    tally.add(key)
    const now = Date.now()
    if (key.expiresMs !== null && key.expiresMs <= now) return []
    if (key.expiresMs !== null) expiries.add(key.expiresMs, key.digest)
    if (key.value.length > LONGEST) {
      throw new Trouble(3, `A key of database ${key.db} has ${size(key.value.length)}, more than a server takes in one command (${size(LONGEST)}).`, {
        next: ['restore this dump by hand: put it in place of dump.rdb'],
      })
    }
    const value = payload(key, this.#reader.version)
    return [this.#command('RESTORE', key.key, String(key.expiresMs ?? 0), value, ...(key.expiresMs === null ? [] : ['ABSTTL']))]
  }

  /** Live and loaded data stand in memory together. */
  #mustHaveRoom({ name, value }: Extract<Piece, { kind: 'about' }>): void {
    if (name !== 'used-mem') return
    const { info } = this.#state
    const [used, needs] = [Number(info('used_memory')), Number(value)]
    const limit = Number(info('maxmemory')) > 0 ? Number(info('maxmemory')) * MEMORY_SHARE : Number(info('total_system_memory'))
    if (limit > 0 && used + needs > limit) {
      throw new Trouble(3, `Redis uses ${size(used)}, the backup needs ${size(needs)} beside it, and the limit is ${size(limit)}.`, {
        next: ['raise maxmemory, or give the machine more memory; the old data can be let go of after the restore'],
        look: ['redis-cli INFO memory'],
      })
    }
  }
}

type Claimed = { readonly db?: number; readonly error?: 'taken' | 'none' | 'marked' | 'full'; readonly databases?: number; readonly run?: string }

function notTaken({ error, databases, run, db }: Claimed, of: number): Trouble {
  if (error === 'none') return new Trouble(3, `The backup has a database ${of}, and this server has only ${databases} (setting "databases").`)
  if (error === 'marked') return new Trouble(5, `Database ${db} is taken by what the restore ${run} put there.`, { next: ['let go of that first'] })
  if (error === 'taken') return new Trouble(5, `Database ${db} already holds what this run loaded. Unload it first.`)
  return new Trouble(3, `None of the ${databases} databases is empty, and the backup needs one beside each of its own.`, {
    next: ['raise the setting "databases" and restart Redis, or let go of what earlier restores put aside'],
  })
}
