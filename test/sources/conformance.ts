import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Trouble } from '../../lib/plan/outcome.ts'
import type { Doing, Json } from '../../lib/plan/plan.ts'
import type { Content, Source } from '../../lib/sources/source.ts'

/** One source with live data of its own, which the suite fills, changes and ruins without going through the source. */
export type Subject = {
  readonly source: Source
  /** Makes the live data, which does not exist before. */
  fill(): Promise<void>
  /** Changes some of it, as users do; rejects where writers are locked out. */
  mutate(): Promise<void>
  /** Ruins it. */
  destroy(): Promise<void>
  /** All of the live data that a restore must bring back, in an order that is always the same. */
  read(): Promise<Json>
  /** Stops and removes everything. */
  end(): Promise<void>
}

/** What surrounds a call that nobody watches. */
export function doing(run = 'r7f3', signal = new AbortController().signal): Doing {
  return { run, signal, progress: () => undefined, spawned: () => undefined }
}

/** Chunks as a stream. */
export async function* streamOf(...chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks
}

/** All bytes of a dump, and what it said that it holds. */
export async function dumped(source: Source): Promise<{ bytes: Buffer; content: Content }> {
  const dump = source.dump()
  const chunks: Buffer[] = []
  for await (const chunk of dump.open(doing())) chunks.push(Buffer.from(chunk))
  return { bytes: Buffer.concat(chunks), content: dump.content() }
}

/** The Trouble that a promise rejects with; fails when it resolves or rejects with anything else. */
export async function troubleOf(work: Promise<unknown>): Promise<Trouble> {
  const error = await work.then(
    () => new Error('it resolved'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof Trouble)) throw error
  return error
}

const NOTHING = { beside: 0, aside: 0, scratch: 0 }

/** The promises that every source keeps. */
export function conforms(kind: string, prepare: () => Promise<Subject>): void {
  describe(`${kind} as a source`, () => {
    let subject: Subject
    let source: Source
    const run = 'r7f3'
    const names = (content: Content) => Object.keys(content.items)
    const load = async (place: 'beside' | 'scratch', bytes: Buffer) => source.load(place, run).take(streamOf(bytes), doing())

    beforeEach(async () => {
      subject = await prepare()
      source = subject.source
    })
    afterEach(() => subject.end())

    it('says that nothing is there before anything is', async () => {
      expect(await source.facts(doing())).toMatchObject({ state: 'missing', sizeBytes: 0 })
      expect(await source.presence(run, doing())).toEqual({ live: 0, ...NOTHING })
      expect((await source.content('live', run, doing())).items).toEqual({})
      expect(await source.remains(doing())).toEqual([])
    })

    it('says how much is there', async () => {
      await subject.fill()
      const facts = await source.facts(doing())
      expect(facts).toMatchObject({ name: source.name, kind: source.kind, where: source.where, state: 'answers' })
      expect(facts.sizeBytes).toBeGreaterThan(0)
      expect(Object.values(facts.counts).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0)
    })

    it('dumps what the live data holds, and reads the same out of the bytes', async () => {
      await subject.fill()
      const before = await subject.read()
      const { bytes, content } = await dumped(source)
      expect(content.items).toEqual((await source.content('live', run, doing())).items)
      expect((await source.examine(streamOf(bytes), doing())).items).toEqual(content.items)
      expect(await subject.read()).toEqual(before)
      expect(await source.remains(doing())).toEqual([])
    })

    it('notices a change of the data in its digests', async () => {
      await subject.fill()
      const before = await source.content('live', run, doing())
      await subject.mutate()
      expect((await source.content('live', run, doing())).items).not.toEqual(before.items)
    })

    it('loads beside without touching the live data', async () => {
      await subject.fill()
      const { bytes, content } = await dumped(source)
      await subject.mutate()
      const live = await subject.read()
      await load('beside', bytes)
      expect((await source.content('beside', run, doing())).items).toEqual(content.items)
      expect(await subject.read()).toEqual(live)
      expect(await source.remains(doing())).toEqual([{ run, place: 'beside' }])
    })

    it('swaps in, back and in again, however often each is called', async () => {
      await subject.fill()
      const atBackup = await subject.read()
      const { bytes, content } = await dumped(source)
      await subject.mutate()
      const atRestore = await subject.read()
      await load('beside', bytes)
      for (const round of [1, 2]) {
        await source.swap(run, names(content)).run(doing())
        await source.swap(run, names(content)).run(doing())
        expect(await subject.read(), `swapped, round ${round}`).toEqual(atBackup)
        expect((await source.presence(run, doing())).aside).toBeGreaterThan(0)
        await source.swapBack(run, names(content)).run(doing())
        await source.swapBack(run, names(content)).run(doing())
        expect(await subject.read(), `swapped back, round ${round}`).toEqual(atRestore)
        expect(await source.presence(run, doing())).toMatchObject({ aside: 0 })
      }
    })

    it('brings back what was ruined, and forgets what it put aside', async () => {
      await subject.fill()
      const atBackup = await subject.read()
      const { bytes, content } = await dumped(source)
      await subject.destroy()
      await load('beside', bytes)
      await source.swap(run, names(content)).run(doing())
      expect(await subject.read()).toEqual(atBackup)
      expect((await source.content('live', run, doing())).items).toEqual(content.items)
      await source.forget(run).run(doing())
      await source.forget(run).run(doing())
      expect(await source.presence(run, doing())).toMatchObject(NOTHING)
      expect(await source.remains(doing())).toEqual([])
      expect(await subject.read()).toEqual(atBackup)
    })

    it('drills in a scratch place and leaves nothing there', async () => {
      await subject.fill()
      const live = await subject.read()
      const { bytes, content } = await dumped(source)
      await load('scratch', bytes)
      expect((await source.content('scratch', run, doing())).items).toEqual(content.items)
      expect(await source.remains(doing())).toEqual([{ run, place: 'scratch' }])
      await source.unload('scratch', run).run(doing())
      expect(await source.presence(run, doing())).toMatchObject(NOTHING)
      expect(await source.remains(doing())).toEqual([])
      expect(await subject.read()).toEqual(live)
    })

    it('passes on why a stream broke, and removes what was half loaded', async () => {
      await subject.fill()
      const live = await subject.read()
      const { bytes } = await dumped(source)
      async function* broken() {
        yield bytes.subarray(0, bytes.length >> 1)
        throw new Trouble(7, 'the store lost the rest')
      }
      for (const place of ['beside', 'scratch'] as const) {
        expect((await troubleOf(source.load(place, run).take(broken(), doing()))).message).toBe('the store lost the rest')
        await source.unload(place, run).run(doing())
        await source.unload(place, run).run(doing())
      }
      expect(await source.presence(run, doing())).toMatchObject(NOTHING)
      expect(await source.remains(doing())).toEqual([])
      expect(await subject.read()).toEqual(live)
    })

    it('finds a dump that was cut, wherever it was', async () => {
      await subject.fill()
      const { bytes } = await dumped(source)
      for (const length of [0, 1, 511, 512, bytes.length >> 1, bytes.length - 1]) {
        const trouble = await troubleOf(source.examine(streamOf(bytes.subarray(0, length)), doing()))
        expect(trouble.exit, `${length} of ${bytes.length} bytes: ${trouble.message}`).toBe(7)
      }
      expect(await source.remains(doing())).toEqual([])
    })

    it('stops a dump that is given up, and leaves nothing behind', async () => {
      await subject.fill()
      const stop = new AbortController()
      const stream = source.dump().open(doing(run, stop.signal))
      stop.abort(new Trouble(130, 'stopped by the operator'))
      await expect(
        (async () => {
          for await (const _ of stream);
        })(),
      ).rejects.toThrow()
      expect(await source.remains(doing())).toEqual([])
    })

    it('locks writers out until it is released, without changing what counts', async ({ skip }) => {
      if (!source.lock) return skip()
      await subject.fill()
      const before = await subject.read()
      const { content } = await dumped(source)
      expect(await source.lock.held(doing())).toBeNull()
      await source.lock.hold(run).run(doing())
      await source.lock.hold(run).run(doing())
      expect(await source.lock.held(doing())).toBe(run)
      await expect(subject.mutate()).rejects.toThrow(run)
      const { bytes, content: whileHeld } = await dumped(source)
      expect(whileHeld.items).toEqual(content.items)
      await load('beside', bytes)
      await source.swap(run, names(content)).run(doing())
      await source.lock.release(run).run(doing())
      expect(await source.lock.held(doing())).toBeNull()
      expect(await subject.read()).toEqual(before)
      await source.swapBack(run, names(content)).run(doing())
      expect(await source.lock.held(doing())).toBe(run)
      await source.lock.release(run).run(doing())
      await source.lock.release(run).run(doing())
      expect(await source.lock.held(doing())).toBeNull()
      await subject.mutate()
      expect(await subject.read()).not.toEqual(before)
    })
  })
}
