import { createDecipheriv, hkdfSync } from 'node:crypto'
import { Trouble } from '../plan/outcome.ts'
import type { Secret } from '../plan/secrets.ts'

// The payload of an age file is a nonce and chunks, each encrypted and authenticated for itself (age-encryption.org/v1, "Payload"):
// so a range can be read without the rest. The header, which holds the key, is read by the library.

const NONCE = 16
const CHUNK = 65_536
const TAG = 16
/** A header of a thousand recipients is shorter. */
const LONGEST_HEADER = 262_144

type Range = { readonly start: number; readonly end: number }
type Open = (range: Range) => AsyncIterable<Buffer>

/** Ranges of what is inside an age file of `bytes` bytes. Trouble(3) when no identity fits, Trouble(7) for what was cut or altered. */
export async function ageRanges(open: Open, bytes: number, identities: readonly Secret[], name: string): Promise<Open> {
  const head = await whole(open({ start: 0, end: Math.min(bytes, LONGEST_HEADER) }))
  const end = head.indexOf('\n', head.indexOf('\n--- ') + 1) + 1
  if (head.indexOf('\n--- ') < 0 || end === 0) throw new Trouble(7, `${name} is damaged: it has no age header`)
  const fileKey = await keyOf(head.subarray(0, end), identities, name)
  const key = Buffer.from(hkdfSync('sha256', fileKey, head.subarray(end, end + NONCE), 'payload', 32))
  const first = end + NONCE
  const last = Math.ceil((bytes - first) / (CHUNK + TAG)) - 1
  return async function* ({ start, end }) {
    const [from, to] = [Math.floor(start / CHUNK), Math.floor((end - 1) / CHUNK)]
    const stored = await whole(open({ start: first + from * (CHUNK + TAG), end: Math.min(bytes, first + (to + 1) * (CHUNK + TAG)) }))
    for (let chunk = from; chunk <= to; chunk++) {
      const at = (chunk - from) * (CHUNK + TAG)
      const plain = opened(stored.subarray(at, at + CHUNK + TAG), key, chunk, chunk === last)
      if (!plain) throw new Trouble(7, `the ciphertext was cut or altered, at byte ${first + chunk * (CHUNK + TAG)} of the object`)
      yield plain.subarray(Math.max(0, start - chunk * CHUNK), end - chunk * CHUNK)
    }
  }
}

async function keyOf(header: Buffer, identities: readonly Secret[], name: string): Promise<Uint8Array> {
  const { Decrypter } = await import('age-encryption')
  const decrypter = new Decrypter()
  for (const identity of identities) decrypter.addIdentity(identity.reveal())
  return decrypter.decryptHeader(header).catch(cause => {
    if (cause instanceof Error && /no identity matched/i.test(cause.message))
      throw new Trouble(3, `The identity does not fit ${name}: it was encrypted to other recipients`, { cause })
    throw new Trouble(7, `${name} is damaged: its age header was cut or altered`, { cause })
  })
}

/** The plain bytes of one chunk; undefined when it is not what was encrypted. Its nonce is its number, and a mark on the last. */
function opened(chunk: Buffer, key: Buffer, number: number, last: boolean): Buffer | undefined {
  if (chunk.length < TAG) return undefined
  const nonce = Buffer.alloc(12)
  nonce.writeUIntBE(number, 5, 6)
  nonce[11] = last ? 1 : 0
  const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG })
  decipher.setAuthTag(chunk.subarray(chunk.length - TAG))
  try {
    return Buffer.concat([decipher.update(chunk.subarray(0, chunk.length - TAG)), decipher.final()])
  } catch {
    return undefined
  }
}

async function whole(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of bytes) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
