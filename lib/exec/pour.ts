import type { Child } from './child.ts'

/** What became of the bytes: all taken, refused (the child closed its end first), or their source threw. */
export type Poured = { readonly how: 'all' | 'refused' } | { readonly how: 'threw'; readonly cause: unknown }

/** Writes bytes to a child's stdin until they end, they throw, or the child closes its end; stdin is closed only after the last byte. */
export async function poured(bytes: AsyncIterable<Buffer>, child: Child): Promise<Poured> {
  const stdin = child.stdin!
  const source = bytes[Symbol.asyncIterator]()
  let closed = false
  // One waker for all waits: racing each read against one long-lived promise would keep a reaction for every chunk.
  let wake = () => {}
  const onClosed = () => {
    closed = true
    wake()
  }
  stdin.on('error', onClosed)
  stdin.on('drain', () => wake())
  void child.ended.then(onClosed)
  try {
    while (!closed) {
      let read: IteratorResult<Buffer> | undefined
      await new Promise<void>((resolve, reject) => {
        wake = resolve
        source.next().then(result => {
          read = result
          resolve()
        }, reject)
      })
      if (read === undefined || closed) break
      if (read.done) return await finished(child, () => closed)
      if (!stdin.write(read.value) && !closed) {
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
    }
  } catch (cause) {
    child.stop('stopped: its input failed')
    await child.ended
    return { how: 'threw', cause }
  }
  await letGo(source)
  return { how: 'refused' }
}

async function finished(child: Child, isClosed: () => boolean): Promise<Poured> {
  await new Promise<void>(resolve => {
    child.stdin!.end(resolve)
    void child.ended.then(() => resolve())
  })
  return { how: isClosed() && !child.stdin!.writableFinished ? 'refused' : 'all' }
}

/** How long a source may take to clean up after it is no longer read, in milliseconds. */
const LET_GO_MS = 1_000

/** Lets a source clean up, but does not wait for one that hangs in a read. */
async function letGo(source: AsyncIterator<Buffer>): Promise<void> {
  const returned = source.return?.().then(
    () => {},
    () => {},
  )
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, LET_GO_MS)
  await Promise.race([returned ?? Promise.resolve(), promise])
  clearTimeout(timer)
}
