import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CellConflict, type Host, here, hostCell } from '../../lib/exec/host.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { describeWith, type Sshd, sshd } from '../testbed/index.ts'
import { doing, running } from './doing.ts'
import { hostOf, refusal } from './hosts.ts'

for (const kind of ['here', 'behind ssh'] as const) {
  describeWith(kind === 'here' ? [] : 'ssh', `work on a host ${kind}`, () => {
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

    test('a file is written whole, with its mode, in a folder that only its owner enters, and replaces what was there', async () => {
      const path = join(folder, 'new folder', '-a', "it's")
      const text = 'line\n\n"ünï" \0 end'
      await host.write(path, 'old', 0o644, doing())
      await host.write(path, new Secret('env', text), 0o600, doing())
      expect(readFileSync(path, 'utf8')).toBe(text)
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect(statSync(join(folder, 'new folder')).mode & 0o777).toBe(0o700)
      expect(readdirSync(join(path, '..'))).toEqual(["it's"])
    })

    test('a file that cannot be written leaves the old one and nothing else', async () => {
      const path = join(folder, 'kept', 'file')
      await host.write(path, 'old', 0o644, doing())
      mkdirSync(join(folder, 'kept', 'folder'))
      const refused = await refusal(host.write(join(folder, 'kept', 'folder'), 'x', 0o600, doing()))
      expect(refused.message).toMatch(/kept\/folder could not be written .*is a folder/)
      expect((await refusal(host.write('/dev/full/x', 'x', 0o600, doing()))).message).toMatch(/could not be written/)
      const context = doing()
      const work = refusal(host.write(path, 'x'.repeat(100_000_000), 0o600, context))
      await expect.poll(() => readdirSync(join(folder, 'kept')).length, { timeout: 20_000, interval: 1 }).toBe(3)
      context.abort.abort(new Error('enough'))
      expect((await work).message).toBe('enough')
      expect(readFileSync(path, 'utf8')).toBe('old')
      expect(readdirSync(join(folder, 'kept')).sort()).toEqual(['file', 'folder'])
      await expect(host.write('relative', 'x', 0o600, doing())).rejects.toThrow(RangeError)
    })

    test('a port leads to the same server', async () => {
      const web = createServer((_, answer) => answer.end('hello')).listen(0, '127.0.0.1')
      await once(web, 'listening')
      const { port } = web.address() as { port: number }
      try {
        const way = await host.port(port, doing())
        expect(await (await fetch(`http://127.0.0.1:${way}`)).text()).toBe('hello')
        if (!server) return
        server.killSessions()
        // The next commands connect anew, and with the connection the port comes back.
        const again = async () => {
          await host.script('true', [], doing())
          return await (await fetch(`http://127.0.0.1:${way}`)).text()
        }
        await expect.poll(() => again().catch(String), { timeout: 20_000 }).toBe('hello')
      } finally {
        web.closeAllConnections()
        web.close()
      }
    })

    test('what an earlier run left there is found by its run, and ended with its group; nobody else is', async () => {
      const [of, other] = [doing().run, doing().run]
      const leave = (id: string, script: string) =>
        host.script('RUNBOOKS_RUN=$1 setsid sh -c "$2" "a b" </dev/null >/dev/null 2>&1 &', [id, script], doing())
      await leave(of, "trap '' TERM; sleep 601 & wait; sleep 601")
      await leave(other, 'sleep 601 & wait')
      await expect.poll(() => [running(of).length, running(other).length]).toEqual([2, 2])
      const found = await host.survivors(of, doing(of))
      expect(found.map(({ pid }) => pid).sort()).toEqual(running(of).sort())
      expect(found.map(({ prints }) => prints)).toContain('sleep 601')
      expect(found.some(({ prints }) => prints.endsWith("'a b'"))).toBe(true)
      await host.endSurvivors(of, doing(of))
      await expect.poll(() => running(of)).toEqual([])
      expect(running(other)).toHaveLength(2)
      await host.endSurvivors(other, doing())
      expect(await host.survivors(other, doing())).toEqual([])
    })

    test('a cell is empty at first, keeps what is written, and tells the host’s time', async () => {
      const path = join(folder, 'state', 'release.json')
      const cell = hostCell(host, path)
      const empty = await cell.read()
      expect(empty).toMatchObject({ body: null, version: '0' })
      const text = 'line\n\n"ünï" \0 end\n'
      const first = await cell.write(text, empty.version)
      expect(await hostCell(host, path).read()).toMatchObject({ body: text, version: first.version })
      await cell.write('', first.version)
      const last = await cell.read()
      expect(last.body).toBe('')
      for (const { nowMs } of [empty, first, last]) expect(Math.abs(nowMs - Date.now())).toBeLessThan(30_000)
      expect(cell.where).toBe(kind === 'here' ? path : `${host.where}${path}`)
      expect(statSync(join(folder, 'state')).mode & 0o777).toBe(0o700)
    })

    test('a stale version is a conflict, also when the text is the same as it was then, and when its file is long gone', async () => {
      const path = join(folder, 'stale', 'cell')
      const cell = hostCell(host, path)
      let version = (await cell.read()).version
      const stale: string[] = []
      for (const body of ['A', 'B', 'A', 'C', 'D']) {
        stale.push(version)
        version = (await cell.write(body, version)).version
      }
      for (const old of stale) await expect(cell.write('A', old)).rejects.toThrow(CellConflict)
      expect((await cell.read()).body).toBe('D')
      // Replaced versions go after a minute, the first apart.
      for (const name of readdirSync(join(folder, 'stale'))) utimesSync(join(folder, 'stale', name), 1, 1)
      version = (await cell.write('E', version)).version
      expect(readdirSync(join(folder, 'stale')).sort()).toEqual([1, 5, 6].map(number => `.cell-cell.00000000${number}`))
      for (const old of stale) await expect(cell.write('A', old)).rejects.toThrow(CellConflict)
      expect(await cell.read()).toMatchObject({ body: 'E', version })
      expect(readdirSync(join(folder, 'stale'))).toHaveLength(3)
    })

    test('of eight writers on one version exactly one wins, and cells beside each other do not mix', async () => {
      const names = ['lease', 'lease.000000001', 'lease2']
      for (const name of names) {
        const cell = hostCell(host, join(folder, 'many', name))
        const { version } = await cell.read()
        const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => cell.write(name, version)))
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
        for (const one of outcomes) if (one.status === 'rejected') expect(one.reason).toBeInstanceOf(CellConflict)
      }
      for (const name of names) expect((await hostCell(host, join(folder, 'many', name)).read()).body).toBe(name)
    })

    test('a cell that cannot be kept says why', async () => {
      writeFileSync(join(folder, 'file'), '')
      expect((await refusal(hostCell(host, join(folder, 'file', 'cell')).read())).message).toMatch(/file\/cell cannot be used: ./)
      expect(existsSync(join(folder, 'file', 'cell'))).toBe(false)
    })
  })
}
