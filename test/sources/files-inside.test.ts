import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { ComposeService } from '../../lib/exec/place.ts'
import { files } from '../../lib/sources/files/index.ts'
import { type Docker, describeWith, docker } from '../testbed/index.ts'
import { find } from '../testbed/tools.ts'
import { doing, dumped, streamOf, troubleOf } from './conformance.ts'

// Every call enters a service, through docker.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const run = 'r7f3'

/** A tree with what tar has more than one way of writing. */
const TREE = `mkdir -p "$1" && cd "$1" && mkdir -p sub/empty closed 'odd name' && printf hello > plain && printf x > 'odd name/-rf' && : > sub/nothing
printf 'line
break' > 'odd name/two
lines' && printf é > sub/été.txt
n=aaaaaaaaaa; n=$n$n$n$n$n$n$n$n$n$n$n$n; printf long > "sub/$n"
ln -s ../plain sub/link && ln -s nowhere 'sub/dangling' && chmod 755 plain && chmod 4750 sub/nothing && chmod 2755 sub/empty && chmod 500 closed
touch -d '2021-03-04 05:06:07' plain sub/empty && touch -d '2020-01-02 03:04:05' sub . && touch -d '1999-12-31 23:59:59' closed`

/** Names, modes, sizes, times and bytes of everything. */
const READ = `cd "$1" && find . -exec stat -c '%n %f %Y %U' {} + | sort && find . -type f -exec stat -c '%n %s' {} + | sort && find . -type f -exec cat {} + | sort`

/** Both, where this machine has a BusyBox to make an image of. */
const KINDS = (['gnu', 'busybox'] as const).filter(kind => kind === 'gnu' || find('busybox'))

const engines: Docker[] = []
const before = process.env.DOCKER_HOST

describeWith(['docker'], 'files in a service', () => {
  const places = new Map<string, ComposeService>()
  let file: string
  beforeAll(async () => {
    const engine = await docker()
    engines.push(engine)
    process.env.DOCKER_HOST = engine.address
    const services = Object.fromEntries(
      KINDS.map(kind => [
        kind,
        { image: engine.filesImage(kind), network_mode: 'none', init: true, tmpfs: ['/mounted'], command: ['sleep', '3600'] },
      ]),
    )
    file = engine.up('media', services)
    for (const service of Object.keys(services)) places.set(service, { compose: { project: 'media', file }, service })
  })
  afterAll(async () => {
    await engines[0]?.stop()
    if (before === undefined) delete process.env.DOCKER_HOST
    else process.env.DOCKER_HOST = before
  })

  const sh = (service: string, script: string, ...argv: string[]) =>
    engines[0]!.docker('compose', '-p', 'media', '-f', file, 'exec', '-T', service, 'sh', '-c', script, 'sh', ...argv)

  test.each(KINDS)('%s: a folder is looked at, backed up, drilled, restored, taken back and forgotten', async service => {
    const place = places.get(service)!
    const directory = '/srv/the media'
    const source = files('media', { directory, in: place })
    expect(await source.facts(doing())).toMatchObject({ state: 'missing' })
    sh(service, TREE, directory)
    const atBackup = sh(service, READ, directory)
    expect(await source.facts(doing())).toMatchObject({
      state: 'answers',
      where: `media/${service} ${directory}`,
      counts: { files: 6, directories: 5, links: 2 },
      tools: [{ name: 'tar', version: expect.stringMatching(/^\d/) }],
      newest: expect.any(String),
    })
    const { bytes, content } = await dumped(source)
    expect(content.items).toMatchObject({ files: { count: 6 }, directories: { count: 5 }, links: { count: 2 } })
    expect((await source.content('live', run, doing())).items).toEqual(content.items)
    expect((await source.examine(streamOf(bytes), doing())).items).toEqual(content.items)
    sh(service, 'cd "$1" && printf changed > plain && rm sub/link && rm -rf "odd name"', directory)
    const atRestore = sh(service, READ, directory)
    for (const to of ['scratch', 'beside'] as const) {
      await source.load(to, run).take(streamOf(bytes), doing())
      expect((await source.content(to, run, doing())).items, to).toEqual(content.items)
    }
    expect(await source.presence(run, doing())).toEqual({ live: 1, beside: 1, aside: 0, scratch: 1 })
    await source.unload('scratch', run).run(doing())
    expect(await source.remains(doing())).toEqual([{ run, place: 'beside' }])
    for (const _ of [1, 2]) await source.swap(run, []).run(doing())
    expect(sh(service, READ, directory)).toBe(atBackup)
    for (const _ of [1, 2]) await source.swapBack(run, []).run(doing())
    expect(sh(service, READ, directory)).toBe(atRestore)
    await source.swap(run, []).run(doing())
    expect(await source.remains(doing())).toEqual([{ run, place: 'aside' }])
    for (const _ of [1, 2]) await source.forget(run).run(doing())
    expect([await source.remains(doing()), sh(service, READ, directory)]).toEqual([[], atBackup])
  })

  test('what was lost altogether comes back, and its going is taken back too', async () => {
    const place = places.get('gnu')!
    const source = files('media', { directory: '/srv/gone', in: place })
    sh('gnu', TREE, '/srv/gone')
    const { bytes, content } = await dumped(source)
    sh('gnu', 'rm -rf "$1"', '/srv/gone')
    await source.load('beside', run).take(streamOf(bytes), doing())
    await source.swap(run, []).run(doing())
    expect((await source.content('live', run, doing())).items).toEqual(content.items)
    await source.swapBack(run, []).run(doing())
    expect(await source.presence(run, doing())).toEqual({ live: 0, beside: 1, aside: 0, scratch: 0 })
    expect((await source.content('live', run, doing())).items).toEqual({})
    await source.unload('beside', run).run(doing())
    expect((await troubleOf(source.swap(run, []).run(doing()) as Promise<unknown>)).exit).toBe(4)
  })

  test('a stream that breaks is passed on, and what it left is removed', async () => {
    const source = files('media', { directory: '/srv/broken', in: places.get('gnu')! })
    sh('gnu', TREE, '/srv/broken')
    const { bytes } = await dumped(source)
    async function* broken() {
      yield bytes.subarray(0, bytes.length >> 1)
      throw new Error('the store lost the rest')
    }
    await expect(source.load('beside', run).take(broken(), doing())).rejects.toThrow('the store lost the rest')
    await source.unload('beside', run).run(doing())
    expect(await source.remains(doing())).toEqual([])
    await expect(source.load('scratch', run).take(streamOf(bytes.subarray(0, 2048)), doing())).rejects.toMatchObject({ exit: 7 })
    await source.unload('scratch', run).run(doing())
    expect(await source.remains(doing())).toEqual([])
  })

  test('what cannot be is said in words: a link, a mount point, a hard link, a stranger’s folder, a relative path, no service', async () => {
    const place = places.get('gnu')!
    sh('gnu', 'mkdir -p /srv/a && ln -s a /srv/link && mkdir -p /mounted/x')
    expect(await files('media', { directory: '/srv/link', in: place }).facts(doing())).toMatchObject({ state: 'denied' })
    const { bytes } = await dumped(files('media', { directory: '/srv/a', in: place }))
    const mount = files('media', { directory: '/mounted', in: place })
    expect(await troubleOf(mount.load('beside', run).take(streamOf(bytes), doing()))).toMatchObject({
      exit: 3,
      message: expect.stringContaining('mount point'),
    })
    const taken = files('media', { directory: '/srv/a', in: place })
    sh('gnu', `mkdir /srv/a__restore_${run}`)
    expect(await troubleOf(taken.load('beside', run).take(streamOf(bytes), doing()))).toMatchObject({ exit: 4 })
    await taken.unload('beside', run).run(doing())
    await taken.load('beside', run).take(streamOf(bytes), doing())
    sh('gnu', `mv /srv/a /srv/a__aside_${run} && mkdir /srv/a`)
    expect(await troubleOf(taken.swap(run, []).run(doing()) as Promise<unknown>)).toMatchObject({ exit: 5 })
    const linked = '/srv/hard'
    for (const [service, exit] of [
      ['gnu', 0],
      ['busybox', 4],
    ] as const) {
      if (!places.has(service)) continue
      sh(service, 'mkdir -p "$1" && printf x > "$1/a" && ln "$1/a" "$1/b"', linked)
      const found = await dumped(files('media', { directory: linked, in: places.get(service)! })).then(
        ({ content }) => content.items.files?.count,
        error => error,
      )
      if (exit === 0) expect(found).toBe(2)
      else expect(found).toMatchObject({ exit, message: expect.stringMatching(/cannot be backed up: it holds .*, a link/) })
    }
    expect(() => files('media', { directory: 'media', in: place })).toThrow(/absolute/)
    const nobody = files('media', { directory: '/srv/a', in: { ...place, service: 'nobody' } })
    expect(await nobody.facts(doing())).toMatchObject({ state: 'unreachable', because: expect.stringContaining('cannot be entered') })
  })
})
