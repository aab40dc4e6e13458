import type { Readable } from 'node:stream'
import { redact } from '../plan/secrets.ts'

/** Characters of stderr that are shown. */
const SHOWN = 4_096
/** Bytes of stderr that are kept: more than shown, so that a secret cut at the front is not shown. */
const KEPT = 4 * SHOWN

/** Reads a stream to its end and remembers its last words; the function returned gives them, redacted. */
export function lastWords(stream: Readable): () => string {
  let kept = Buffer.alloc(0)
  let cut = false
  stream.on('data', (chunk: Buffer) => {
    const all = Buffer.concat([kept, chunk])
    cut ||= all.length > KEPT
    kept = all.subarray(-KEPT)
  })
  // Losing stderr is not the failure that counts: the exit code is.
  stream.on('error', () => {})
  return () => {
    const text = kept.toString('utf8')
    // A first line that was cut may hold the end of a secret, which redaction would not know.
    const whole = cut ? text.slice(text.indexOf('\n') + 1) : text
    return redact(whole).slice(-SHOWN).trimEnd()
  }
}
