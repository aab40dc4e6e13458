import type { EventEmitter } from 'node:events'

/** Resolves when a stream takes bytes again, or will take none any more; one pair of listeners a wait, so that nothing gathers over a long stream. */
export function drained(stream: EventEmitter): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      stream.off('drain', done).off('close', done)
      resolve()
    }
    stream.on('drain', done).on('close', done)
  })
}
