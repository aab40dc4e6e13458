import { prints, stdoutOf } from '../../exec/process.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import type { Content, Dump } from '../source.ts'
import type { Server } from './address.ts'
import { cli, cliTrouble } from './cli.ts'
import { type Piece, RdbReader } from './rdb/reader.ts'
import { itemsOf, Tally } from './rdb/tally.ts'
import { RdbWriter } from './rdb/writer.ts'
import type { Site } from './site.ts'
import { fitState, liveOf, type State } from './state.ts'

/** One moment of the whole server, as it sends it to a replica. */
export const snapshotCommand = (server: Server) => cli(server, ['--rdb', '-'])

/** The pieces of a server's snapshot, a chunk at a time; throws what `cliTrouble` makes of a failure, and Trouble(7) for a broken dump. */
export async function* snapshot(server: Server, doing: Doing): AsyncGenerator<readonly Piece[]> {
  try {
    yield* piecesOf(stdoutOf(snapshotCommand(server), doing))
  } catch (error) {
    throw cliTrouble(error, server)
  }
}

/** The pieces of a dump, a chunk at a time. */
export async function* piecesOf(bytes: AsyncIterable<Buffer>, reader = new RdbReader()): AsyncGenerator<readonly Piece[]> {
  for await (const chunk of bytes) {
    const pieces = reader.push(chunk)
    if (pieces.length > 0) yield pieces
  }
  yield reader.end()
}

/** All live databases as one RDB file. What restores left beside or aside is not in it: those databases are passed over, which the end of the file is written anew for. */
export function dumpOf(site: Site): Dump {
  let content: Content | undefined
  return {
    prints: prints(snapshotCommand(site.live)),
    async *open(doing: Doing) {
      const state = await fitState(site.live, doing)
      if (liveOf(state).length === 0) {
        throw new Trouble(7, `There is nothing to dump: ${site.where} has no keys.`, { next: ['check the address in the stack file'] })
      }
      const ours = marked(state)
      const tally = new ContentTally()
      const writer = new RdbWriter()
      for await (const pieces of snapshot(site.live, doing)) {
        const live = pieces.filter(({ db }) => !ours.has(db))
        tally.add(live)
        const bytes = writer.pieces(live)
        if (bytes.length > 0) yield bytes
      }
      content = tally.content()
      yield writer.end()
    },
    content() {
      if (!content) throw new Error('content() is known only after the dump has ended well')
      return content
    },
  }
}

/** The databases that restores left. */
export const marked = ({ dbs }: State) => new Set(dbs.filter(({ mark }) => mark).map(({ db }) => db))

/** What pieces of a dump hold. */
export class ContentTally {
  readonly #keys = new Tally()
  #libraries = 0

  add(pieces: readonly Piece[]): void {
    for (const piece of pieces) {
      if (piece.kind === 'key') this.#keys.add(piece)
      else if (piece.kind === 'functions') this.#libraries++
    }
  }

  content(): Content {
    const functions = `${this.#libraries} libraries of functions are in the dump, but a restore does not load them: they belong to the whole server`
    return { items: itemsOf(this.#keys.keys()), warnings: this.#libraries > 0 ? [functions] : [] }
  }
}

/** What a dump holds; throws Trouble(7) when it is broken. */
export async function examine(bytes: AsyncIterable<Buffer>): Promise<Content> {
  const tally = new ContentTally()
  for await (const pieces of piecesOf(bytes)) tally.add(pieces)
  return tally.content()
}
