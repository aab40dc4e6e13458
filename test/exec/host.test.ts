import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Host, here } from '../../lib/exec/host.ts'
import { inService } from '../../lib/exec/place.ts'
import { feed, prints, run, stdoutOf } from '../../lib/exec/process.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { describeWith, type Sshd, sshd } from '../testbed/index.ts'
import { collect, doing, sh } from './doing.ts'
import { hostOf, readOr, refusal } from './hosts.ts'

const KEY = '-----BEGIN KEY-----\n  a b\\c "d" \'e\' $f `g`\n\n-----END KEY-----\n'

for (const kind of ['here', 'behind ssh'] as const) {
  describeWith(kind === 'here' ? [] : 'ssh', `a host ${kind}`, () => {
    let server: Sshd | undefined
    let host: Host
    let folder: string
    beforeAll(async () => {
      server = kind === 'here' ? undefined : await sshd()
      host = server ? hostOf(server) : here()
      folder = mkdtempSync(join(tmpdir(), 'host-'))
      chmodSync(folder, 0o777)
    })
    afterAll(async () => {
      await host.close()
      await server?.stop()
      rmSync(folder, { recursive: true, force: true })
    })

    test('the exit code is the command’s own, 255 and that of a signal too', async () => {
      for (const code of [0, 3, 96, 97, 127, 255]) expect((await run(host.on(sh(`exit ${code}`)), doing())).code).toBe(code)
      const ended = await run(host.on(sh('kill -9 $$')), doing())
      expect([137, null]).toContain(ended.code)
    })

    test('stdout and stderr are apart, and neither holds anything of ours', async () => {
      const { stdout, stderr } = await run(host.on(sh('echo out; echo err >&2')), doing())
      expect([stdout, stderr]).toEqual(['out\n', 'err'])
    })

    test('any arguments arrive as they are', async () => {
      const awkward = [
        '',
        '-n',
        '--',
        "'",
        '"',
        '\\',
        '\n',
        'a\nb\n',
        '$(id)',
        '`id`',
        '$HOME',
        '*',
        '~',
        '!!',
        ';',
        '&',
        '|',
        '\t',
        'é✓',
        '#',
        'a=b',
        '\\n',
      ]
      const words = fc.array(fc.oneof(fc.constantFrom(...awkward), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' })), { maxLength: 12 })
      await fc.assert(
        fc.asyncProperty(words, async all => {
          const argv = all.map(word => word.replaceAll('\0', '').toWellFormed())
          const { stdout } = await host.script('for word; do printf "%s\\0" "$word"; done', argv, doing())
          expect(stdout.split('\0').slice(0, -1)).toEqual(argv)
        }),
        { numRuns: 25 },
      )
    })

    test('variables and the folder are the command’s, whatever their names', async () => {
      const env = { input: 'a b', child: "c'd", group: '$x\ny', n: '-e', signs: '', code: '7' }
      const script = 'for name in input child group n signs code; do eval "printf \'%s|\' \\"\\$$name\\""; done; pwd'
      const { stdout } = await run(host.on({ ...sh(script), env, cwd: folder }), doing())
      expect(stdout).toBe(`${Object.values(env).join('|')}|${folder}\n`)
    })

    test('secrets of any text become variables of that process, and stand in no command line of this machine meanwhile', async () => {
      const needle = `needle-${crypto.randomUUID()}`
      const secrets = { A_KEY: new Secret('k', KEY), B: new Secret('n', needle), C: new Secret('e', '') }
      for (const input of [true, false]) {
        const seen: string[] = []
        const work = run(host.on(sh('sleep 0.5; printf "%s|%s|%s" "$A_KEY" "$B" "$C"'), { secrets, input }), doing(), input ? { input: 'x' } : {})
        let over = false
        void work.finally(() => {
          over = true
        })
        do {
          for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) seen.push(readOr(`/proc/${pid}/cmdline`))
          await new Promise(resolve => setTimeout(resolve, 50))
        } while (!over)
        expect(await work).toMatchObject({ code: 0, stdout: `${KEY}|${needle}|` })
        expect(seen.some(words => words.includes('sleep'))).toBe(true)
        expect(seen.some(words => words.includes(needle) || words.includes('BEGIN KEY'))).toBe(false)
      }
    })

    test('10 MB of random bytes go there and come back the same', async () => {
      const bytes = randomBytes(10 * 1024 * 1024)
      const file = join(folder, 'bytes')
      await feed(host.on(sh('cat >"$1"', file), { input: true }), pieces(bytes), doing())
      const back = await collect(stdoutOf(host.on({ file: 'cat', argv: [file] }), doing()))
      expect(digest(back)).toBe(digest(bytes))
    })

    test('a command that is not given input sees none', async () => {
      expect((await run(host.on({ file: 'cat', argv: [] }), doing())).stdout).toBe('')
      expect((await run(host.on({ file: 'cat', argv: [] }, { input: true }), doing(), { input: 'a\nb' })).stdout).toBe('a\nb')
    })

    test('a program that is not there, and a folder that is not there, are refused with the mend', async () => {
      const program = await refusal(run(host.on({ file: 'dockerx', argv: ['ps'] }), doing()))
      expect(program).toMatchObject({
        exit: 3,
        message: expect.stringContaining('dockerx is not installed'),
        next: [expect.stringContaining('install dockerx')],
      })
      expect(program.look?.[0]).toContain('command -v dockerx')
      const nowhere = await refusal(run(host.on({ file: 'true', argv: [], cwd: join(folder, 'none') }), doing()))
      expect(nowhere).toMatchObject({ exit: 3, message: expect.stringContaining(join(folder, 'none')) })
    })

    test('a command in a service there has its secrets, its input, and its exit code', async () => {
      const docker = join(folder, 'docker')
      writeFileSync(docker, '#!/bin/sh\nwhile [ "$1" != sh ]; do shift; done\nexec "$@"\n')
      chmodSync(docker, 0o755)
      const shop = { compose: { project: 'shop' }, service: 'db' }
      const env = { PATH: `${folder}:/usr/bin:/bin` }
      for (const input of [true, false]) {
        const inside = inService(shop, sh('printf "%s" "$PW"; cat; exit 9'), { secrets: { PW: new Secret('p', KEY) }, input })
        const command = host.on({ ...inside, env })
        expect(await run(command, doing(), input ? { input: 'data' } : {})).toMatchObject({ code: 9, stdout: `${KEY}${input ? 'data' : ''}` })
        expect(prints(command)).toMatch(/docker compose -p shop exec -T db sh -c/)
      }
    })

    test('a name that is no variable and a descriptor are refused', () => {
      const secret = new Secret('PW', 'x')
      expect(() => host.on(sh('true'), { secrets: { 'a b': secret } })).toThrow(RangeError)
      expect(() => host.on({ ...sh('true'), secret }, { secrets: { A: secret } })).toThrow(RangeError)
    })
  })
}

describeWith('ssh', 'a host behind ssh', () => {
  test('twenty commands need one login, of an ordinary user, and print as they are typed', async () => {
    const server = await sshd()
    const host = hostOf(server)
    try {
      const times: number[] = []
      for (let round = 0; round < 20; round++) {
        const began = performance.now()
        expect((await run(host.on({ file: 'id', argv: ['-un'] }), doing())).stdout).toBe(`${server.user}\n`)
        times.push(performance.now() - began)
      }
      expect(server.log().match(/Accepted publickey/g)).toHaveLength(1)
      expect(server.sessions()).toHaveLength(1)
      // Measured: 18 ms each on a quiet machine with 2 cores, where a login takes 250 ms.
      expect(times.sort((a, b) => a - b)[10]).toBeLessThan(2_000)
      const typed = prints(host.on({ file: 'docker', argv: ['compose', 'ps', 'a b'] }))
      expect(typed).toBe(`ssh -p ${server.port} -i ${server.keyFile} ${server.user}@127.0.0.1 docker compose ps ''\\''a b'\\'''`)
      expect(host.where).toBe(`ssh://${server.user}@127.0.0.1:${server.port}`)
    } finally {
      await host.close()
      await server.stop()
    }
  })

  test('more commands at once than the host takes on one connection all run', async () => {
    const server = await sshd({ settings: { MaxSessions: '4' } })
    const host = hostOf(server)
    try {
      const all = await Promise.all(Array.from({ length: 10 }, (_, at) => run(host.on(sh('sleep 1; echo "$1"', String(at))), doing())))
      expect(all.map(({ stdout }) => Number(stdout))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    } finally {
      await host.close()
      await server.stop()
    }
  })
})

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
