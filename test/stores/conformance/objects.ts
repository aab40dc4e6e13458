import { describe, expect, test } from 'vitest'
import { type Store, text } from '../../../lib/stores/store.ts'
import { bytes, digest, doing, refusal, said } from '../recipes.ts'

const MIB = 1024 * 1024

const AWKWARD = [
  'with space/and  two',
  'it\'s "quoted".txt',
  '-rf',
  'ünïcödé/日本語/🦊.tar',
  'percent%2Fslash+plus&amp;<x>#hash?query=1',
  'back\\slash:colon*star|pipe',
  'line\nbreak',
  'control\u0001character',
  '.hidden/..two.dots',
  '$(id)`id`;$HOME',
  `${'long'.repeat(50)}/${'x'.repeat(200)}`,
]

/** Objects go in and come out as they were. */
export function objects(fresh: () => Promise<Store>): void {
  describe('objects', () => {
    test.each([
      [0, [1]],
      [1, [1]],
      [65_537, [65_536]],
      [20 * MIB, [1, 7, 65_537, 1_000_003]],
      [20 * MIB, [MIB]],
    ])('%i bytes come out as they went in (chunks of %j)', async (total, sizes) => {
      const store = await fresh()
      expect(await store.put('a/b/object', bytes(total, sizes), doing(), total)).toEqual({ bytes: total })
      expect(await digest(store.get('a/b/object', doing()))).toBe(await digest(bytes(total)))
      const head = await store.head('a/b/object')
      expect(head?.bytes).toBe(total)
      expect(Math.abs(Date.parse(head?.modified ?? '') - Date.now())).toBeLessThan(20_000)
    })

    test('awkward paths are kept as they are', async () => {
      const store = await fresh()
      for (const path of AWKWARD) await store.put(path, said(path), doing())
      expect((await store.list('')).map(({ path }) => path)).toEqual([...AWKWARD].sort())
      for (const path of AWKWARD) expect(await text(store, path, doing())).toBe(path)
      for (const path of AWKWARD) await store.remove(path)
      expect(await store.list('')).toEqual([])
    })

    test.each([
      '',
      '/etc/passwd',
      '../up',
      'a/../b',
      'a//b',
      'a/',
      './a',
      'a/.tmp-x',
      '.cell-x',
      '.probe-x',
      'nul\0',
      'x'.repeat(256),
      `${'y/'.repeat(520)}z`,
    ])('the path %.20j is refused', async path => {
      const store = await fresh()
      await expect(async () => store.put(path, said('x'), doing())).rejects.toThrow(RangeError)
      expect(() => store.cell(path)).toThrow(RangeError)
    })

    test('a range has exactly its bytes, and one beyond the end throws', async () => {
      const store = await fresh()
      const total = 3 * MIB + 17
      const whole: Buffer[] = []
      for await (const chunk of bytes(total)) whole.push(chunk)
      await store.put('object', bytes(total), doing())
      for (const [start, end] of [
        [0, 1],
        [0, total],
        [MIB - 3, 2 * MIB + 5],
        [total - 1, total],
        [5, 5],
        [total, total],
      ] as const) {
        const part: Buffer[] = []
        for await (const chunk of store.get('object', doing(), { start, end })) part.push(chunk)
        expect(Buffer.concat(part).equals(Buffer.concat(whole).subarray(start, end)), `${start} to ${end}`).toBe(true)
      }
      for (const [start, end] of [
        [0, total + 1],
        [total, total + 10],
        [total + 5, total + 10],
      ] as const) {
        expect((await refusal(digest(store.get('object', doing(), { start, end })))).fault, `${start} to ${end}`).toBe('broken')
      }
    })

    test('a reader may leave early', async () => {
      const store = await fresh()
      await store.put('object', bytes(5 * MIB), doing())
      for await (const chunk of store.get('object', doing())) {
        expect(chunk.length).toBeGreaterThan(0)
        break
      }
      expect(await digest(store.get('object', doing()))).toBe(await digest(bytes(5 * MIB)))
    })

    test('a list of more than a thousand objects is complete, sorted, and keeps to its prefix', async () => {
      const store = await fresh()
      const paths = Array.from({ length: 1_050 }, (_, n) => `many/${n % 7}/${(n * 7919) % 1_050}`)
      const left = [...paths, 'many.txt', 'manyfold/object', 'other/object']
      await Promise.all(
        Array.from({ length: 24 }, async () => {
          for (let path = left.pop(); path !== undefined; path = left.pop()) await store.put(path, said(path), doing(), path.length)
        }),
      )
      const listed = await store.list('many')
      expect(listed.map(({ path }) => path)).toEqual([...paths].sort())
      expect(listed.every(({ path, bytes: length }) => length === path.length)).toBe(true)
      expect((await store.list('')).length).toBe(1_053)
      expect(await store.list('man')).toEqual([])
      expect(await store.list('none/such')).toEqual([])
    })

    test('what is not there: head is null, get says missing, remove is content', async () => {
      const store = await fresh()
      await store.put('folder/object', said('x'), doing())
      for (const path of ['absent', 'folder/absent', 'no/folder/absent', 'folder']) {
        expect(await store.head(path), path).toBe(null)
        expect((await refusal(digest(store.get(path, doing())))).fault, path).toBe('missing')
        if (path !== 'folder') await store.remove(path)
      }
      await store.remove('folder/object')
      expect(await store.head('folder/object')).toBe(null)
      await store.put('folder/object', said('again'), doing())
      expect(await text(store, 'folder/object', doing())).toBe('again')
    })

    test('a look says writable, refuses to overwrite, knows the time, and leaves nothing', async () => {
      const store = await fresh()
      const facts = await store.facts(doing())
      expect(facts).toMatchObject({ name: store.name, where: store.where, state: 'writable', conditional: true })
      expect(Math.abs(facts.skewMs ?? Number.NaN)).toBeLessThan(3_000)
      expect(await store.list('')).toEqual([])
      expect(await store.leftovers('', 0)).toEqual([])
    })
  })
}
