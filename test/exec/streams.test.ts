import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { feed, live, stdoutOf } from '../../lib/exec/process.ts'
import { collect, doing, running, sh, zeros } from './doing.ts'

const folder = mkdtempSync(join(tmpdir(), 'exec-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('stdoutOf', () => {
  test('gives every byte of a process that exits 0', async () => {
    const bytes = await collect(stdoutOf(sh('head -c 3000001 /dev/zero | tr "\\0" x'), doing()))
    expect(bytes.equals(Buffer.alloc(3_000_001, 'x'))).toBe(true)
  })

  test('gives the bytes and then throws when the process exits otherwise', async () => {
    const got: Buffer[] = []
    const read = async () => {
      for await (const chunk of stdoutOf(sh('printf half; echo "cursor lost" >&2; exit 1'), doing())) got.push(chunk)
    }
    await expect(read()).rejects.toThrow('sh exited 1: cursor lost')
    expect(Buffer.concat(got).toString()).toBe('half')
  })

  test('throws when the process closes its output, goes on, and fails later', async () => {
    await expect(collect(stdoutOf(sh('printf all; exec >&-; sleep 0.2; exit 9'), doing()))).rejects.toMatchObject({ code: 9 })
  })

  test('throws when the process is killed in the middle', async () => {
    await expect(collect(stdoutOf(sh('printf half; kill -9 $$'), doing()))).rejects.toThrow('sh was ended by SIGKILL')
  })

  test('starts nothing before it is read', () => {
    const context = doing()
    stdoutOf(sh('sleep 60'), context)
    expect(context.started).toEqual([])
  })

  test('a consumer that stops early ends the whole group before it goes on', async () => {
    const context = doing()
    for await (const _ of stdoutOf(sh('(trap "" PIPE; while :; do echo child; done) & while :; do echo x; done'), context)) break
    expect(running(context.run)).toEqual([])
    expect(live()).toEqual([])
  })

  test('a consumer that returns while a read is under way ends a silent process', async () => {
    const context = doing()
    const reader = stdoutOf(sh('sleep 60'), context)[Symbol.asyncIterator]()
    const read = reader.next().catch(cause => cause)
    await expect.poll(() => live().length).toBe(1)
    await reader.return?.()
    expect(await read).toMatchObject({ message: 'sh was stopped: nobody reads its output any more' })
    expect(running(context.run)).toEqual([])
  })

  test('an abort ends the stream with the reason, never as if it were complete', async () => {
    const context = doing()
    const read = collect(stdoutOf(sh('trap "exit 0" TERM; printf half; while :; do sleep 0.05; done'), context))
    setTimeout(() => context.abort.abort(new Error('by the operator')), 200)
    await expect(read).rejects.toThrow('by the operator')
    expect(running(context.run)).toEqual([])
  })

  test('a chunk that is only lent is whole while it is read, and empty afterwards', async () => {
    const hash = createHash('sha256')
    const seen: Buffer[] = []
    for await (const chunk of stdoutOf(sh('head -c 3000000 /dev/zero'), doing(), { lend: true })) {
      hash.update(chunk)
      seen.push(chunk)
    }
    expect(hash.digest('hex')).toBe(createHash('sha256').update(Buffer.alloc(3_000_000)).digest('hex'))
    expect(seen.every(chunk => chunk.length === 0)).toBe(true)
  })

  test('memory stays flat while 1 GiB goes through', async () => {
    let bytes = 0
    let peak = 0
    const before = process.memoryUsage().rss
    for await (const chunk of stdoutOf(sh('head -c 1G /dev/zero | cat'), doing())) {
      bytes += chunk.length
      peak = Math.max(peak, process.memoryUsage.rss())
    }
    expect(bytes).toBe(2 ** 30)
    expect(peak - before).toBeLessThan(150 * 2 ** 20)
  })
})

describe('feed', () => {
  test('gives every byte, and returns what the tool said', async () => {
    const path = join(folder, 'all')
    const finished = await feed(sh('cat > "$1"; echo loaded; echo done >&2', path), zeros(100), doing())
    expect(finished).toEqual({ code: 0, signal: null, stdout: 'loaded\n', stderr: 'done' })
    expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(createHash('sha256').update(Buffer.alloc(6_553_600)).digest('hex'))
  })

  test('a tool that fails in the middle is reported by its exit code, not as a broken pipe, and its source is let go', async () => {
    let released = false
    async function* source() {
      try {
        yield* zeros(1_000)
      } finally {
        released = true
      }
    }
    await expect(feed(sh('head -c 100000 >/dev/null; echo "duplicate key" >&2; exit 1'), source(), doing())).rejects.toThrow(
      'sh exited 1: duplicate key',
    )
    expect(released).toBe(true)
  })

  test('a tool that fails while its source is silent is reported without waiting for it', async () => {
    async function* source() {
      yield Buffer.from('x')
      await sleep(30_000, undefined, { ref: false })
    }
    const began = Date.now()
    await expect(feed(sh('sleep 0.1; exit 5'), source(), doing())).rejects.toMatchObject({ code: 5 })
    expect(Date.now() - began).toBeLessThan(3_000)
  })

  test('a tool that exits 0 without reading everything has failed', async () => {
    await expect(feed(sh('head -c 10 >/dev/null'), zeros(1_000), doing())).rejects.toThrow('sh exited 0 without reading all of its input')
  })

  test('a source that throws ends the tool, which never sees an end of its input', async () => {
    async function* source() {
      yield* zeros(20)
      throw new Error('object is cut')
    }
    const context = doing()
    const path = join(folder, 'end-seen')
    await expect(feed(sh('cat >/dev/null; touch "$1"', path), source(), context)).rejects.toThrow('object is cut')
    expect(running(context.run)).toEqual([])
    expect(() => readFileSync(path)).toThrow('ENOENT')
  })

  test('an abort while the source is silent ends the tool', async () => {
    const context = doing()
    async function* source() {
      yield Buffer.from('x')
      await sleep(30_000, undefined, { signal: context.signal })
    }
    const work = feed(sh('cat >/dev/null'), source(), context)
    setTimeout(() => context.abort.abort(new Error('by the operator')), 200)
    await expect(work).rejects.toThrow('by the operator')
    expect(running(context.run)).toEqual([])
  })

  test('a source that is itself a failing process fails the feed', async () => {
    const context = doing()
    await expect(feed({ file: 'cat', argv: [] }, stdoutOf(sh('printf half; exit 2'), context), context)).rejects.toThrow('sh exited 2')
    expect(running(context.run)).toEqual([])
  })

  test('an empty source is an empty input', async () => {
    expect(await feed({ file: 'wc', argv: ['-c'] }, zeros(0), doing())).toMatchObject({ stdout: '0\n' })
  })

  test('a slow tool holds the source back', async () => {
    let given = 0
    async function* source() {
      for await (const chunk of zeros(10_000)) {
        given += chunk.length
        yield chunk
      }
    }
    const context = doing()
    const work = feed(sh('sleep 60'), source(), context).catch(cause => cause)
    await sleep(300)
    expect(given).toBeLessThan(2 ** 20)
    context.abort.abort(new Error('enough'))
    await work
  })
})
