import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { openSync, writeSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, readdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { files } from '../../lib/sources/files/index.ts'
import { conforms, doing, dumped, streamOf, troubleOf } from './conformance.ts'
import { read, tree } from './files-made.ts'
import { temporary } from './temporary.ts'

const _command = promisify(execFile)
const command = promisify(execFile)
const run = 'r7f3'

conforms('files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'runbooks-files-'))
  const directory = join(folder, 'the media')
  return {
    source: files('media', { directory }),
    fill: () => tree(directory),
    mutate: () => writeFile(join(directory, 'plain'), 'I was plain'),
    destroy: () => rm(join(directory, 'sub'), { recursive: true }),
    read: () => read(directory),
    end: () => rm(folder, { recursive: true, force: true }),
  }
})

describe('files', () => {
  it('names a large file that changes, grows or shrinks while it is read, and writes exactly the size that it declared', async () => {
    const directory = join(await temporary(), 'media')
    await mkdir(directory)
    for (const name of ['grows', 'shrinks', 'touched']) await writeFile(join(directory, name), Buffer.alloc(20_000_000, name))
    await writeFile(join(directory, 'z still'), Buffer.alloc(9_000_000, 1))
    const source = files('media', { directory })
    const dump = source.dump()
    const chunks: Buffer[] = []
    let done = 0
    let step = 0
    for await (const chunk of dump.open(doing())) {
      chunks.push(chunk)
      done += chunk.length
      if (step === 0 && done > 2_000_000) await appendFile(join(directory, 'grows'), 'more')
      if (step === 1 && done > 23_000_000) await truncate(join(directory, 'shrinks'), 10_000_000)
      if (step === 2 && done > 43_000_000) writeSync(openSync(join(directory, 'touched'), 'r+'), 'X')
      step = done > 43_000_000 ? 3 : done > 23_000_000 ? 2 : done > 2_000_000 ? 1 : 0
    }
    expect(dump.content().warnings).toEqual([
      'grows changed while it was read: parts of it may be older than others',
      'shrinks changed while it was read: it shrank, and its last 10000000 bytes are zeros in the backup',
      'touched changed while it was read: parts of it may be older than others',
    ])
    expect((await source.examine(streamOf(...chunks), doing())).items).toEqual(dump.content().items)
  })

  it('reads a small file again until it stood still, and names one that never does', async () => {
    const directory = join(await temporary(), 'media')
    await mkdir(directory)
    await writeFile(join(directory, 'log'), Buffer.alloc(4_000_000))
    const writer = new Worker(
      `const fs = require('node:fs'); const { workerData, parentPort } = require('node:worker_threads')
      const log = fs.openSync(workerData, 'r+'); parentPort.postMessage('going'); for (;;) fs.writeSync(log, '.', 0)`,
      { eval: true, workerData: join(directory, 'log') },
    )
    await once(writer, 'message')
    const source = files('media', { directory })
    const warnings: string[] = []
    // Under load the writer may not get to run while one dump reads.
    for (let tries = 0; tries < 100 && warnings.length === 0; tries += 1) {
      const { content, bytes } = await dumped(source)
      expect((await source.examine(streamOf(bytes), doing())).items).toEqual(content.items)
      warnings.push(...content.warnings)
    }
    await writer.terminate()
    expect(warnings).toEqual(['log changed while it was read (3 tries)'])
    expect((await dumped(source)).content.warnings).toEqual([])
  })

  it('names files that vanish, and goes on', async () => {
    const directory = join(await temporary(), 'media')
    await mkdir(directory)
    await writeFile(join(directory, 'a'), Buffer.alloc(9_000_000))
    for (const name of ['gone', 'replaced', 'stays']) await writeFile(join(directory, name), name)
    const dump = files('media', { directory }).dump()
    let first = true
    for await (const _ of dump.open(doing())) {
      if (first) await rm(join(directory, 'gone'))
      first = false
    }
    expect(dump.content().warnings).toEqual(['gone is NOT in the backup: it vanished while it was read'])
    expect(dump.content().items.files?.count).toBe(3)
  })

  it('names sockets, FIFOs and names that are not UTF-8, and does not wait for any', async () => {
    const directory = join(await temporary(), 'media')
    await mkdir(directory)
    await command('mkfifo', [join(directory, 'pipe')])
    const server = createServer().listen(join(directory, 'socket'))
    await writeFile(Buffer.concat([Buffer.from(`${directory}/caf`), Buffer.from([0xe9]), Buffer.from('.txt')]), 'latin')
    await writeFile(join(directory, 'kept'), 'kept')
    const { content } = await dumped(files('media', { directory }))
    server.close()
    expect(content.warnings).toEqual([
      'caf\\xe9.txt is NOT in the backup: its name is not UTF-8',
      'pipe is NOT in the backup: it is a FIFO',
      'socket is NOT in the backup: it is a socket',
    ])
    expect(content.items.files?.count).toBe(1)
  })

  it('finishes a swap, or takes it back, after a kill between any two renames', async () => {
    const directory = join(await temporary(), 'media')
    for (const verb of ['swap', 'swapBack'] as const) {
      for (let renames = 0; renames < 3; renames += 1) {
        await mkdir(directory)
        await writeFile(join(directory, 'old'), '')
        await mkdir(`${directory}__restore_${run}`)
        await writeFile(join(`${directory}__restore_${run}`, 'new'), '')
        if (renames > 0) await rename(directory, `${directory}__aside_${run}`)
        if (renames > 1) await rename(`${directory}__restore_${run}`, directory)
        const source = files('media', { directory })
        await source[verb](run, []).run(doing())
        expect(await readdir(directory), `${verb} after ${renames} renames`).toEqual([verb === 'swap' ? 'new' : 'old'])
        await source.unload('beside', run).run(doing())
        await source.forget(run).run(doing())
        expect(await source.remains(doing())).toEqual([])
        await rm(directory, { recursive: true })
      }
    }
  })

  it('says what a path that is no folder is', async () => {
    const folder = await temporary()
    await writeFile(join(folder, 'file'), '')
    await symlink('file', join(folder, 'link'))
    expect(await files('x', { directory: join(folder, 'file') }).facts(doing())).toMatchObject({
      state: 'denied',
      because: `${join(folder, 'file')} is not a folder`,
    })
    expect((await files('x', { directory: join(folder, 'link') }).facts(doing())).because).toMatch(/is a link: name the folder it leads to/)
    expect((await troubleOf(dumped(files('x', { directory: join(folder, 'none') })))).exit).toBe(7)
  })

  it('does not load beside a mount point, which it could not rename', async () => {
    const trouble = await troubleOf(files('x', { directory: '/proc' }).load('beside', run).take(streamOf(), doing()))
    expect(trouble).toMatchObject({ exit: 3, message: expect.stringMatching(/^\/proc is a mount point/) })
  })
})
