import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Host } from '../../lib/exec/host.ts'
import { run } from '../../lib/exec/process.ts'
import { describeWith, type Sshd, sshd } from '../testbed/index.ts'
import { find } from '../testbed/tools.ts'
import { doing, running, sh } from './doing.ts'
import { foldersOf, hostOf, lasting, reach, refusal, withWords } from './hosts.ts'

describeWith('ssh', 'the end of a command on a host', () => {
  let server: Sshd
  beforeAll(async () => {
    server = await sshd()
  })
  afterAll(async () => {
    await server.stop()
  })

  /** Waits until so many commands run: ssh here, the shell and its sleep there. */
  const begun = (of: string, count: number) => expect.poll(() => running(of).length, { timeout: 20_000 }).toBeGreaterThanOrEqual(count * 3)

  /** A host that is connected already: the connection's own processes belong to the run that made it. */
  const connected = async (): Promise<Host> => {
    const host = hostOf(server)
    await host.script('exit 0', [], doing())
    return host
  }

  test('an abort ends it there too, with what it started, before it is told', async () => {
    const host = await connected()
    try {
      for (const at of [0, 1, 2]) {
        const context = doing()
        const [command, limits] = lasting(host, context.run)[at]!
        const work = refusal(run(command, context, limits))
        await begun(context.run, 1)
        context.abort.abort(new Error('enough'))
        expect((await work).message).toBe('enough')
        expect(running(context.run)).toEqual([])
      }
      expect((await run(host.on(sh('echo still here')), doing())).stdout).toBe('still here\n')
    } finally {
      await host.close()
    }
  })

  test('a time limit and the close of the host end it there too', async () => {
    const host = await connected()
    const limited = doing()
    expect(await run(host.on(sh('sleep 600')), limited, { budgetMs: 700 })).toMatchObject({ code: null })
    expect(running(limited.run)).toEqual([])
    const context = doing()
    const works = lasting(host, context.run).map(([command, limits]) => run(command, context, limits))
    await begun(context.run, works.length)
    // One that has only just begun is ended as well.
    const late = run(host.on(sh('sleep 600')), context)
    await expect.poll(() => context.started.length).toBe(works.length + 1)
    await host.close()
    for (const one of await Promise.allSettled([...works, late])) if (one.status === 'fulfilled') expect(one.value).toMatchObject({ code: null })
    await expect.poll(() => running(context.run), { timeout: 30_000 }).toEqual([])
  })

  test('a link that is cut is said, what ran over it is ended there, and the next command connects anew', async () => {
    const host = await connected()
    try {
      const context = doing()
      const works = lasting(host, context.run).map(([command, limits]) => refusal(run(command, context, limits)))
      await begun(context.run, works.length)
      expect(server.killSessions()).toBe(1)
      for (const work of works)
        expect(await work).toMatchObject({ exit: 8, message: expect.stringMatching(/^The link to .*@127\.0\.0\.1 was cut while sh on /) })
      await expect.poll(() => running(context.run), { timeout: 30_000 }).toEqual([])
      expect((await run(host.on(sh('echo back')), doing())).stdout).toBe('back\n')
    } finally {
      await host.close()
    }
  })

  test.skipIf(find('busybox') === undefined)('on a host with BusyBox, a cut ends what runs there, and leaves no watcher', async () => {
    const programs = mkdtempSync(join(tmpdir(), 'busybox-'))
    chmodSync(programs, 0o755)
    for (const name of ['sh', 'setsid', 'tail', 'sleep']) symlinkSync(find('busybox')!, join(programs, name))
    const small = await sshd({ settings: { SetEnv: `PATH=${programs}:/usr/bin:/bin` } })
    const host = hostOf(small)
    try {
      await host.script('exit 0', [], doing())
      const context = doing()
      const works = lasting(host, context.run).map(([command, limits]) => refusal(run(command, context, limits)))
      await begun(context.run, works.length)
      small.killSessions()
      for (const work of works) expect(await work).toMatchObject({ exit: 8 })
      await expect.poll(() => running(context.run), { timeout: 30_000 }).toEqual([])
    } finally {
      await host.close()
      await small.stop()
      rmSync(programs, { recursive: true })
    }
  })

  for (const [how, signal] of [
    ['by SIGTERM, in order', 'SIGTERM'],
    ['by SIGTERM, unheard', 'SIGTERM'],
    ['by SIGKILL', 'SIGKILL'],
  ] as const) {
    test(`when we are ended ${how}, nothing runs there or here, and no key is left`, async () => {
      const id = `r${crypto.randomUUID().slice(0, 8)}`
      const { keyFile: _, ...address } = reach(server)
      const asked = JSON.stringify({ ...address, key: server.key, run: id, close: how.endsWith('order') })
      const holder = spawn(process.execPath, [join(import.meta.dirname, 'host-holder.ts'), asked], { stdio: ['ignore', 'pipe', 'inherit'] })
      await once(holder.stdout, 'data')
      await expect.poll(() => withWords('sleep\x00611').length + withWords('sleep\x00612').length, { timeout: 20_000 }).toBeGreaterThanOrEqual(2)
      expect(foldersOf(holder.pid!)).toHaveLength(1)
      holder.kill(signal)
      await once(holder, 'exit')
      await expect.poll(() => [running(id), foldersOf(holder.pid!)], { timeout: 30_000 }).toEqual([[], []])
      await expect.poll(() => withWords(`runbooks-ssh-${holder.pid}-`), { timeout: 30_000 }).toEqual([])
    })
  }

  test('a host that is not closed does not keep our process', async () => {
    const script = `const { sshHost } = await import(${JSON.stringify(join(import.meta.dirname, '../../lib/exec/host.ts'))})
      const host = sshHost(${JSON.stringify(reach(server))})
      const { stdout } = await host.script('echo there', [], { run: 'r', signal: new AbortController().signal, progress() {}, spawned() {} })
      process.stdout.write(stdout)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [said] = (await once(child.stdout, 'data')) as [Buffer]
    expect(said.toString()).toBe('there\n')
    expect((await once(child, 'exit'))[0]).toBe(0)
    await expect.poll(() => foldersOf(child.pid!), { timeout: 20_000 }).toEqual([])
  })
})
