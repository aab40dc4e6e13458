import type { Doing } from '../plan/plan.ts'
import { type Child, type End, start } from './child.ts'
import { type Command, CommandFailed, type Finished } from './command.ts'
import { poured } from './pour.ts'
import { type Unsealing, unsealing } from './seal.ts'

export { live, stopAll } from './child.ts'
export { type Command, CommandFailed, type Finished, prints } from './command.ts'

/** Limits of a command: its longest time in milliseconds, and text for its stdin (otherwise stdin is empty). */
export type Limits = { readonly budgetMs?: number; readonly input?: string }

/**
 * Runs to the end and returns whatever happened; throws Trouble(3) when the program cannot be found, and the reason of `doing.signal` when aborted.
 * `budgetMs` ends it as a group: code is then null, whatever the tool made of the signal. All of stdout is kept in memory.
 */
export async function run(command: Command, doing: Doing, limits: Limits = {}): Promise<Finished> {
  return (await ran(command, doing, limits)).finished
}

/** As `run`, but anything other than exit 0 throws CommandFailed. */
export async function mustRun(command: Command, doing: Doing, limits: Limits = {}): Promise<Finished> {
  const { child, end, finished } = await ran(command, doing, limits)
  if (end.code !== 0) throw failure(command, child, end)
  return finished
}

async function ran(command: Command, doing: Doing, limits: Limits): Promise<{ child: Child; end: End; finished: Finished }> {
  const { input, budgetMs } = limits
  const child = await start(command, doing, { stdin: input === undefined ? 'ignore' : 'pipe', ...(budgetMs === undefined ? {} : { budgetMs }) })
  const chunks: Buffer[] = []
  const seal = sealOf(command, child)
  child.stdout.on('data', (chunk: Chunk) => chunks.push(...(seal ? seal.take(chunk) : [chunk]))).on('error', () => {})
  // A tool need not read what it is given; its exit code says whether it missed anything.
  child.stdin?.on('error', () => {}).end(input)
  const end = whole(command, await child.ended, seal)
  doing.signal.throwIfAborted()
  if (end.lost) throw end.lost
  const stderr = [child.stderr(), end.because].filter(Boolean).join('\n')
  return { child, end, finished: { code: end.code, signal: end.signal, stdout: Buffer.concat(chunks).toString('utf8'), stderr } }
}

/**
 * The bytes of stdout; the stream ends well only when the process exited 0, and throws CommandFailed otherwise.
 * The process is started by the first read; whoever stops reading early ends its group, and waits until it is gone.
 * `lend` is for readers that keep no chunk beyond their next read: its memory is then let go of at once, not when the garbage collector
 * comes by, which saves about 35 MB at the peak of a fast stream.
 */
export function stdoutOf(command: Command, doing: Doing, how: { readonly lend?: boolean } = {}): AsyncIterable<Buffer> {
  return {
    [Symbol.asyncIterator]() {
      let child: Child | undefined
      const bytes = output(command, doing, how.lend === true, started => {
        child = started
      })
      return {
        next: () => bytes.next(),
        // A generator hears of its return only after a read that is under way; ending the process ends that read.
        return: () => {
          child?.stop(NOT_WANTED)
          return bytes.return(undefined)
        },
      }
    },
  }
}

type Chunk = Buffer<ArrayBuffer>

/** Once its output is whole, the far end is let go. */
const sealOf = ({ seal }: Command, child: Child): Unsealing | undefined => (seal === undefined ? undefined : unsealing(seal, () => child.release()))

/** The far end's own exit code, where its output came with one; the way's good end is none without the seal. */
function whole(command: Command, end: End, seal: Unsealing | undefined): End {
  if (seal === undefined || end.because !== undefined) return end
  if (seal.sealed !== undefined) return { ...end, code: seal.sealed }
  const because = `${named(command)} exited 0, but the end of its output did not arrive`
  return end.code === 0 ? { ...end, lost: new CommandFailed(because, 0, null, '') } : end
}

/** Frees the memory of a chunk, which is empty afterwards; a pipe's chunks have their memory to themselves. */
function letGo(chunk: Chunk): void {
  if (chunk.buffer.byteLength === chunk.length) chunk.buffer.transfer(0)
}

const NOT_WANTED = 'stopped: nobody reads its output any more'

async function* output(command: Command, doing: Doing, lend: boolean, onStart: (child: Child) => void): AsyncGenerator<Buffer, undefined, undefined> {
  const child = await start(command, doing, { stdin: 'ignore' })
  onStart(child)
  const seal = sealOf(command, child)
  let complete = false
  let lost: unknown
  try {
    for await (const chunk of child.stdout) {
      for (const own of seal ? seal.take(chunk) : [chunk as Chunk]) {
        yield own
        if (lend) letGo(own)
      }
    }
    complete = true
  } catch (cause) {
    lost = cause
  } finally {
    // After the last byte a process may still find out that it failed: then only its exit counts.
    if (!complete) child.stop(NOT_WANTED)
    await child.ended
  }
  const end = whole(command, await child.ended, seal)
  doing.signal.throwIfAborted()
  if (end.lost) throw end.lost
  if (end.code !== 0) throw failure(command, child, end)
  if (lost !== undefined) throw lost
}

/**
 * Feeds bytes to stdin and resolves when the process exited 0 after taking them all; its last words are returned.
 * When the bytes throw, the group is ended without ever seeing an end of input, and their error is thrown once it is gone.
 */
export async function feed(command: Command, bytes: AsyncIterable<Buffer>, doing: Doing): Promise<Finished> {
  const child = await start(command, doing, { stdin: 'pipe' })
  const said: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => keepLast(said, chunk)).on('error', () => {})
  const took = await poured(bytes, child)
  const end = await child.ended
  doing.signal.throwIfAborted()
  if (took.how === 'threw') throw took.cause
  if (end.lost) throw end.lost
  if (end.code !== 0) throw failure(command, child, end)
  if (took.how === 'refused') throw new CommandFailed(`${named(command)} exited 0 without reading all of its input`, 0, null, child.stderr())
  return { code: 0, signal: null, stdout: Buffer.concat(said).toString('utf8').slice(-OUTPUT_KEPT), stderr: child.stderr() }
}

/** Bytes of a fed tool's stdout that are kept. */
const OUTPUT_KEPT = 65_536

function keepLast(chunks: Buffer[], chunk: Buffer): void {
  chunks.push(chunk)
  if (chunks.length > 64) chunks.splice(0, chunks.length, Buffer.concat(chunks).subarray(-OUTPUT_KEPT))
}

function failure(command: Command, child: Child, end: End): CommandFailed {
  const how = end.because ?? (end.code === null ? `was ended by ${end.signal}` : `exited ${end.code}`)
  const words = child.stderr()
  return new CommandFailed(`${named(command)} ${end.because ? `was ${how}` : how}${words ? `: ${words}` : ''}`, end.code, end.signal, words)
}

function named(command: Command): string {
  return command.way?.says ?? command.file
}
