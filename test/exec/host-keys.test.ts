import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Host, type SshOptions, sshHost } from '../../lib/exec/host.ts'
import { run } from '../../lib/exec/process.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { describeWith, type Sshd, sshd } from '../testbed/index.ts'
import { doing } from './doing.ts'
import { foldersOf, reach, refusal } from './hosts.ts'

const id = { file: 'id', argv: ['-un'] }

describeWith('ssh', 'keys of hosts and of ours', () => {
  let server: Sshd
  let folder: string
  beforeAll(async () => {
    server = await sshd()
    folder = mkdtempSync(join(tmpdir(), 'keys-'))
  })
  afterAll(async () => {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Runs one command on the host and closes it again. */
  async function tried(other: Partial<SshOptions> & { key?: Secret }) {
    const { keyFile, ...rest } = reach(server)
    const host = sshHost({ ...rest, ...(other.key ? {} : keyFile === undefined ? {} : { keyFile }), ...other })
    return await run(host.on(id), doing()).finally(() => host.close())
  }

  const fingerprint = (pub: string) => /SHA256:\S+/.exec(execFileSync('ssh-keygen', ['-lf', pub], { encoding: 'utf8' }))![0]
  const hostKey = () => join(server.knownHosts, '..', 'host.pub')

  test('a host key that is not known is refused with its fingerprint, and the command that is named accepts it', async () => {
    const knownHosts = join(folder, 'none')
    const refused = await refusal(tried({ knownHosts }))
    expect(refused).toMatchObject({ exit: 3, message: expect.stringContaining(fingerprint(hostKey())) })
    const accept = refused.next!.find(line => line.includes('accept-new'))!.replace(/^if it is the same: /, '')
    execFileSync('sh', ['-c', accept])
    expect((await tried({ knownHosts })).stdout).toBe(`${server.user}\n`)
  })

  test('known hosts may be lines, and what is not among them is refused with the line that is missing', async () => {
    expect((await tried({ knownHosts: `# ours\n${server.knownAt(server.port)}` })).code).toBe(0)
    const refused = await refusal(tried({ knownHosts: '# nobody\n' }))
    expect(refused.next!.join('\n')).toContain(`ssh-keyscan -p ${server.port} 127.0.0.1`)
  })

  test('a host key that has changed is refused with the new fingerprint, and the commands that are named mend it', async () => {
    const knownHosts = join(folder, 'changed')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'other')])
    writeFileSync(knownHosts, `[127.0.0.1]:${server.port} ${readFileSync(join(folder, 'other.pub'), 'utf8')}`)
    const refused = await refusal(tried({ knownHosts }))
    expect(refused).toMatchObject({ exit: 3, message: expect.stringMatching(/is another than the one that is known: SHA256:/) })
    expect(refused.message).toContain(fingerprint(hostKey()))
    for (const line of refused.next!.slice(1)) execFileSync('sh', ['-c', line.replace(/^(?:only if it is the same|then): /, '')], { stdio: 'pipe' })
    expect((await tried({ knownHosts })).code).toBe(0)
  })

  test('a key that is not let in is refused with the line that lets it in', async () => {
    const key = join(folder, 'stranger')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
    const refused = await refusal(tried({ key: new Secret('DEPLOY_KEY', readFileSync(key, 'utf8')) }))
    expect(refused).toMatchObject({ exit: 3, message: expect.stringContaining('does not let this key in') })
    expect(refused.next!.join()).toContain(readFileSync(`${key}.pub`, 'utf8').split(' ')[1])
    expect(foldersOf(process.pid)).toEqual([])
  })

  test('a key with a passphrase, no key at all, one that others may read and one that is not there are told apart', async () => {
    const locked = join(folder, 'locked')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret', '-f', locked])
    for (const key of [readFileSync(locked, 'utf8'), 'this is no key']) {
      expect(await refusal(tried({ key: new Secret('DEPLOY_KEY', key) }))).toMatchObject({
        exit: 3,
        message: expect.stringMatching(/cannot read the key DEPLOY_KEY .* passphrase, or is no private key/),
      })
    }
    const open = join(folder, 'open')
    copyFileSync(server.keyFile, open)
    chmodSync(open, 0o644)
    const shown = await refusal(tried({ keyFile: open }))
    expect(shown).toMatchObject({ exit: 3, next: [`chmod 600 ${open}`] })
    expect(await refusal(tried({ keyFile: join(folder, 'missing') }))).toMatchObject({ exit: 3, message: expect.stringContaining('is not there') })
  })

  test('a key given as text is a file of ours alone for as long as we are connected, also without its last line break', async () => {
    const { keyFile: _, ...rest } = reach(server)
    const host = sshHost({ ...rest, key: new Secret('DEPLOY_KEY', server.key.trimEnd()) })
    await run(host.on(id), doing())
    const [name] = foldersOf(process.pid)
    const path = join('/dev/shm', name!)
    expect(statSync(path).mode & 0o777).toBe(0o700)
    expect(statSync(join(path, 'key')).mode & 0o777).toBe(0o600)
    await host.close()
    expect(foldersOf(process.pid)).toEqual([])
  })

  test('folders that dead processes left are removed at the next start, and those of living ones stay', async () => {
    const dead = spawn('true')
    await once(dead, 'exit')
    const left = join('/dev/shm', `runbooks-ssh-${dead.pid}-1-abcdefgh`)
    const living = join('/dev/shm', `runbooks-ssh-${process.ppid}-0-abcdefgh`)
    for (const path of [left, living]) mkdirSync(path, { mode: 0o700 })
    await tried({})
    const names = readdirSync('/dev/shm')
    rmSync(living, { recursive: true })
    expect([left, living].map(path => names.includes(path.slice('/dev/shm/'.length)))).toEqual([false, true])
  })

  test('a host that refuses, does not exist or never speaks could not be looked at, which is no refusal', async () => {
    const silent = createServer(() => {})
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const address = silent.address() as { port: number }
    const hosts: Host[] = [
      sshHost({ host: '127.0.0.1', port: 1 }),
      sshHost({ host: 'nobody.invalid' }),
      sshHost({ host: '127.0.0.1', port: address.port }),
    ]
    try {
      for (const host of hosts)
        expect(await refusal(run(host.on(id), doing()))).toMatchObject({ exit: 8, message: expect.stringMatching(/could not be reached: ./) })
    } finally {
      silent.close()
      await Promise.all(hosts.map(host => host.close()))
    }
  })

  test('what ssh could take for an option is no host', () => {
    for (const host of ['-oProxyCommand=x', '', 'a b', "a'b"]) expect(() => sshHost({ host })).toThrow(RangeError)
    for (const user of ['-l', '', 'a b']) expect(() => sshHost({ host: 'shop', user })).toThrow(RangeError)
    for (const port of [0, 65_536, 1.5]) expect(() => sshHost({ host: 'shop', port })).toThrow(RangeError)
  })
})
