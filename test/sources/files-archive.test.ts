import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { files } from '../../lib/sources/files/index.ts'
import { doing, dumped, streamOf, troubleOf } from './conformance.ts'
import { LONG, read, tree } from './files-made.ts'
import { temporary } from './temporary.ts'

const _command = promisify(execFile)
const command = promisify(execFile)
const run = 'r7f3'

/** An archive by system tar from `make`'s folder, and a source for a folder beside it. */
async function tarred(make: (folder: string) => Promise<unknown>, ...options: string[]) {
  const folder = await temporary()
  await mkdir(join(folder, 'in'))
  await make(join(folder, 'in'))
  const { stdout } = await command('tar', ['-C', join(folder, 'in'), ...options], { encoding: 'buffer', maxBuffer: 1 << 26 })
  return { folder, bytes: stdout, source: files('media', { directory: join(folder, 'media') }) }
}

describe('an archive of files', () => {
  it('is unpacked to the very same tree by the command that is named for it', async () => {
    const folder = await temporary()
    const directory = join(folder, "the crew's media")
    await tree(directory)
    const source = files('media', { directory })
    await writeFile(join(folder, 'media.tar'), (await dumped(source)).bytes)
    await mkdir(join(folder, 'out'))
    await command('sh', ['-c', `(${source.byHand.join('; ')}) < ../media.tar`], { cwd: join(folder, 'out') })
    expect(await read(join(folder, 'out', "the crew's media"))).toEqual(await read(directory))
  })

  it.each(['gnu', 'posix', 'ustar'])('reads the %s format of system tar as it reads its own', async format => {
    const make = async (folder: string) => {
      await tree(folder)
      // What the old formats cannot hold.
      if (format !== 'ustar') return
      await utimes(join(folder, 'plain'), 1, 1)
      for (const name of ['dangling', LONG]) await rm(join(folder, name))
      await rm(join(folder, 'deep '.repeat(20)), { recursive: true })
      await rm(join(folder, `é${'y'.repeat(120)}`))
    }
    const { folder, bytes, source } = await tarred(make, '-c', `--format=${format}`, '--hard-dereference', '--sort=name', '.')
    await source.load('beside', run).take(streamOf(bytes), doing())
    await source.swap(run, []).run(doing())
    expect(await read(join(folder, 'media'))).toEqual(await read(join(folder, 'in')))
  })

  it('dumps the same tree to the same bytes', async () => {
    const directory = join(await temporary(), 'media')
    await tree(directory)
    const source = files('media', { directory })
    expect((await dumped(source)).bytes.equals((await dumped(source)).bytes)).toBe(true)
  })

  it('finds a flipped bit in a file by its digest, and one in a header by its structure', async () => {
    const directory = join(await temporary(), 'media')
    await tree(directory)
    const source = files('media', { directory })
    const { bytes, content } = await dumped(source)
    const flipped = (at: number) => {
      const copy = Buffer.from(bytes)
      copy[at]! ^= 0x01
      return streamOf(copy)
    }
    const seen = await source.examine(flipped(bytes.indexOf('I am plain') + 3), doing())
    expect(seen.items.files).not.toEqual(content.items.files)
    for (const at of [3, 101, 130, 140, 150, 257]) expect((await troubleOf(source.examine(flipped(at), doing()))).exit, `byte ${at}`).toBe(7)
    expect((await troubleOf(source.examine(flipped(bytes.length - 1), doing()))).exit, 'last byte').toBe(7)
  })

  it('finds an archive that was cut between two entries, and one with something behind its end', async () => {
    const directory = join(await temporary(), 'media')
    await tree(directory)
    const source = files('media', { directory })
    const { bytes } = await dumped(source)
    let cuts = 0
    for (let at = 512; at < bytes.length; at += 512 * 7) {
      expect(await troubleOf(source.examine(streamOf(bytes.subarray(0, at)), doing())), `${at}`).toMatchObject({
        exit: 7,
        message: expect.stringMatching(/cut off/),
      })
      cuts += 1
    }
    expect(cuts).toBeGreaterThan(20)
    expect((await troubleOf(source.examine(streamOf(bytes, bytes), doing()))).message).toMatch(/something follows its end/)
    expect((await troubleOf(source.examine(streamOf(Buffer.alloc(1024)), doing()))).message).toBe('The archive holds no folder')
  })

  it('refuses archives that would write outside their folder', async () => {
    const evil = [
      ['--transform=s,evil,../evil,', '-P'],
      ['--transform=s,./evil,/tmp/evil,', '-P'],
      ['--transform=s,evil,a/../../evil,', '-P'],
    ]
    for (const options of evil) {
      const { folder, bytes, source } = await tarred(at => writeFile(join(at, 'evil'), 'evil'), '-c', ...options, '.')
      const trouble = await troubleOf(source.load('beside', run).take(streamOf(bytes), doing()))
      expect(trouble, options[0]).toMatchObject({ exit: 7, message: expect.stringMatching(/outside its folder/) })
      expect(existsSync(join(folder, 'evil'))).toBe(false)
    }
  })

  it('refuses an archive that writes through a link, twice, or anything but files, folders and links', async () => {
    const folder = await temporary()
    for (const name of ['one/door', 'two', 'secret']) await mkdir(join(folder, name), { recursive: true })
    await symlink(join(folder, 'secret'), join(folder, 'two', 'door'))
    await writeFile(join(folder, 'one', 'door', 'planted'), 'planted')
    const tar = join(folder, 'x.tar')
    await command('tar', ['-c', '-f', tar, '-C', join(folder, 'two'), '.'])
    await command('tar', ['-r', '-f', tar, '-C', join(folder, 'one'), './door/planted'])
    const source = files('media', { directory: join(folder, 'media') })
    const said = async () => {
      const trouble = await troubleOf(source.load('beside', run).take(streamOf(await readFile(tar)), doing()))
      await source.unload('beside', run).run(doing())
      expect(trouble.exit).toBe(7)
      return trouble.message
    }
    expect(await said()).toBe('The archive holds door/planted before its folder')
    expect(await readdir(join(folder, 'secret'))).toEqual([])
    await command('tar', ['-c', '-f', tar, '-C', join(folder, 'one'), '.'])
    await command('tar', ['-r', '-f', tar, '-C', join(folder, 'one'), './door/planted'])
    expect(await said()).toBe('The archive holds door/planted twice')
    await command('mkfifo', [join(folder, 'one', 'pipe')])
    await command('tar', ['-c', '-f', tar, '-C', join(folder, 'one'), '.'])
    expect(await said()).toBe('The archive holds ./pipe, a fifo: only files, folders and symbolic links are restored')
  })
})
