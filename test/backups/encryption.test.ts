import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption'
import { describe, expect, it } from 'vitest'
import { decrypted, encrypted, readIdentities } from '../../lib/backups/encryption.ts'
import { Trouble } from '../../lib/plan/outcome.ts'
import { Secret } from '../../lib/plan/secrets.ts'

async function* chunks(bytes: Buffer, size = 10_000): AsyncIterable<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function all(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const got: Buffer[] = []
  for await (const chunk of bytes) got.push(chunk)
  return Buffer.concat(got)
}

async function pair(): Promise<{ identity: Secret; recipient: string }> {
  const identity = await generateX25519Identity()
  return { identity: new Secret('identity', identity), recipient: await identityToRecipient(identity) }
}

const exitOf = (work: Promise<unknown>) =>
  work.then(
    () => 0,
    error => (error instanceof Trouble ? error.exit : error),
  )

const asked = async () => undefined

describe('encryption to age recipients', () => {
  it('gives each recipient alone the bytes back, and nobody else', async () => {
    const [ops, vault, stranger] = await Promise.all([pair(), pair(), pair()])
    const plain = randomBytes(300_000)
    const cipher = await all(encrypted(chunks(plain), { kind: 'age', recipients: [ops.recipient, vault.recipient] }))
    expect(cipher.includes(plain.subarray(0, 64))).toBe(false)
    for (const { identity } of [ops, vault]) expect((await all(decrypted(chunks(cipher), [identity], 'x'))).equals(plain)).toBe(true)
    expect(await exitOf(all(decrypted(chunks(cipher), [stranger.identity], 'x')))).toBe(3)
  })

  it('finds every cut and every flipped byte of a ciphertext', { timeout: 120_000 }, async () => {
    const ops = await pair()
    const cipher = await all(encrypted(chunks(randomBytes(300)), { kind: 'age', recipients: [ops.recipient] }))
    for (let at = 0; at < cipher.length; at += 1) {
      expect(await exitOf(all(decrypted(chunks(cipher.subarray(0, at)), [ops.identity], 'x'))), `cut at ${at}`).not.toBe(0)
      const flipped = Buffer.from(cipher)
      flipped[at] = (flipped[at] ?? 0) ^ 1
      expect(await exitOf(all(decrypted(chunks(flipped), [ops.identity], 'x'))), `flipped at ${at}`).not.toBe(0)
    }
  })

  it('lets an error of the store stay what it is', async () => {
    const ops = await pair()
    const cipher = await all(encrypted(chunks(randomBytes(200_000)), { kind: 'age', recipients: [ops.recipient] }))
    const lost = new Error('connection reset')
    async function* breaking(): AsyncIterable<Buffer> {
      yield cipher.subarray(0, 100_000)
      throw lost
    }
    await expect(all(decrypted(breaking(), [ops.identity], 'x'))).rejects.toBe(lost)
  })

  it('refuses a recipient that is none, by name', async () => {
    await expect(all(encrypted(chunks(randomBytes(10)), { kind: 'age', recipients: ['age1nonsense'] }))).rejects.toThrow(
      'age1nonsense is not an age recipient',
    )
  })
})

describe('identity files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'runbooks-identity-'))
  const file = (name: string, text: string | Uint8Array, mode = 0o600) => {
    writeFileSync(join(folder, name), text)
    chmodSync(join(folder, name), mode)
    return join(folder, name)
  }

  it('reads a file as age-keygen writes it, comments and all', async () => {
    const { identity, recipient } = await pair()
    const path = file('plain.txt', `# created: today\n# public key: ${recipient}\n${identity.reveal()}\n`)
    expect((await readIdentities(path, asked)).map(found => found.reveal())).toEqual([identity.reveal()])
  })

  it('refuses a file that others can read, and names the mend', async () => {
    const { identity } = await pair()
    await expect(readIdentities(file('open.txt', identity.reveal(), 0o644), asked)).rejects.toMatchObject({
      exit: 3,
      next: [`chmod 600 '${join(folder, 'open.txt')}'`],
    })
  })

  it('refuses a file without an identity and a file that is not there', async () => {
    expect(await exitOf(readIdentities(file('empty.txt', 'hello\n'), asked))).toBe(2)
    expect(await exitOf(readIdentities(join(folder, 'nowhere.txt'), asked))).toBe(2)
  })

  it('opens one that is protected by a passphrase, and refuses the wrong passphrase', async () => {
    const { identity } = await pair()
    const encrypter = new Encrypter()
    encrypter.setPassphrase('three in the morning')
    encrypter.setScryptWorkFactor(8)
    const path = file('locked.age', await encrypter.encrypt(`${identity.reveal()}\n`))
    const opened = await readIdentities(path, async () => new Secret('passphrase', 'three in the morning'))
    expect(opened.map(found => found.reveal())).toEqual([identity.reveal()])
    expect(await exitOf(readIdentities(path, async () => new Secret('passphrase', 'noon')))).toBe(3)
    expect(await exitOf(readIdentities(path, asked))).toBe(3)
  })

  it('understands the age tool, and is understood by it', async context => {
    const age = (args: string[], input: Buffer) => execFileSync('age', args, { input, maxBuffer: 1e8 })
    try {
      execFileSync('age', ['--version'])
    } catch {
      return context.skip('the age tool is not on PATH')
    }
    const { identity, recipient } = await pair()
    const plain = randomBytes(100_000)
    const path = file('tool.txt', `${identity.reveal()}\n`)
    const ours = await all(encrypted(chunks(plain), { kind: 'age', recipients: [recipient] }))
    expect(age(['-d', '-i', path], ours).equals(plain)).toBe(true)
    expect((await all(decrypted(chunks(age(['-r', recipient], plain)), [identity], 'x'))).equals(plain)).toBe(true)
  })
})
