import { readFileSync, statSync } from 'node:fs'
import { Trouble } from '../plan/outcome.ts'
import { Secret } from '../plan/secrets.ts'

/** Encryption to age recipients: who backs up holds no key that reads. */
export type Encryption = { readonly kind: 'age'; readonly recipients: readonly string[] }

/** A stream of bytes as the library takes it. */
function toWeb(bytes: AsyncIterable<Buffer>): ReadableStream<Uint8Array> {
  return ReadableStream.from(bytes) as ReadableStream<Uint8Array>
}

async function* fromWeb(stream: ReadableStream<Uint8Array>): AsyncIterable<Buffer> {
  for await (const chunk of stream) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}

/** Encrypts to the recipients; each of them alone can decrypt. Trouble(2) for a recipient that is none. */
export async function* encrypted(bytes: AsyncIterable<Buffer>, encryption: Encryption): AsyncIterable<Buffer> {
  const { Encrypter } = await import('age-encryption')
  const encrypter = new Encrypter()
  for (const recipient of encryption.recipients) {
    try {
      encrypter.addRecipient(recipient)
    } catch (cause) {
      throw new Trouble(2, `${recipient} is not an age recipient; it begins with age1`, { cause })
    }
  }
  yield* fromWeb(await encrypter.encrypt(toWeb(bytes)))
}

/** Decrypts with the first identity that fits. Trouble(3) when none does, Trouble(7) when the ciphertext is cut or altered. */
export async function* decrypted(bytes: AsyncIterable<Buffer>, identities: readonly Secret[], name: string): AsyncIterable<Buffer> {
  const { Decrypter } = await import('age-encryption')
  const decrypter = new Decrypter()
  for (const identity of identities) decrypter.addIdentity(identity.reveal())
  // An error of the store must stay one, and not be taken for a damaged ciphertext.
  let broken: unknown
  const guarded = guard(bytes, error => {
    broken = error
  })
  try {
    yield* fromWeb(await decrypter.decrypt(toWeb(guarded)))
  } catch (cause) {
    if (broken !== undefined) throw broken
    if (cause instanceof Error && /no identity matched/i.test(cause.message))
      throw new Trouble(3, `The identity does not fit ${name}: it was encrypted to other recipients`, { cause })
    throw new Trouble(7, `${name} is damaged: the ciphertext was cut or altered`, { cause })
  }
}

async function* guard(bytes: AsyncIterable<Buffer>, failed: (error: unknown) => void): AsyncIterable<Buffer> {
  try {
    yield* bytes
  } catch (error) {
    failed(error)
    throw error
  }
}

const identityLines = (text: string) =>
  text
    .split(/\r?\n/)
    .map(line => line.trim())
    .filter(line => line.startsWith('AGE-SECRET-KEY-'))

/** The identities in a file as `age-keygen` writes it, or one that is protected by a passphrase. `passphrase` is asked only then. Trouble(2) for a file that is none. */
export async function readIdentities(file: string, passphrase: () => Promise<Secret | undefined>): Promise<readonly Secret[]> {
  const text = readIdentityFile(file)
  const open = text.includes('AGE-SECRET-KEY-') ? text : await unlocked(file, text, passphrase)
  const identities = identityLines(open).map((line, i) => new Secret(`identity ${i + 1} of ${file}`, line))
  if (identities.length === 0) throw new Trouble(2, `${file} holds no age identity; it is a file as age-keygen writes it`)
  return identities
}

function readIdentityFile(file: string): string {
  try {
    if ((statSync(file).mode & 0o077) !== 0) throw new Trouble(3, `${file} can be read by others`, { next: [`chmod 600 '${file}'`] })
    return readFileSync(file, 'latin1')
  } catch (cause) {
    if (cause instanceof Trouble) throw cause
    throw new Trouble(2, `The identity file ${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

async function unlocked(file: string, text: string, ask: () => Promise<Secret | undefined>): Promise<string> {
  if (!/^(age-encryption\.org|-----BEGIN AGE ENCRYPTED FILE)/.test(text)) return text
  const passphrase = await ask()
  if (!passphrase) throw new Trouble(3, `${file} is protected by a passphrase, and nobody can be asked for it here`)
  const { Decrypter, armor } = await import('age-encryption')
  const decrypter = new Decrypter()
  decrypter.addPassphrase(passphrase.reveal())
  try {
    const bytes = text.startsWith('-----BEGIN') ? armor.decode(text) : Buffer.from(text, 'latin1')
    return await decrypter.decrypt(bytes, 'text')
  } catch (cause) {
    throw new Trouble(3, `The passphrase does not open ${file}`, { cause })
  }
}
