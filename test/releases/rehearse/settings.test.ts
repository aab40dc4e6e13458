import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Secret } from '../../../lib/plan/secrets.ts'
import type { Given } from '../../../lib/platforms/rehearsal.ts'
import { ledAway } from '../../../lib/releases/rehearse/settings.ts'
import type { Rehearsed } from '../../../lib/releases/site.ts'
import { files } from '../../../lib/sources/files/index.ts'
import { mongodb } from '../../../lib/sources/mongodb/index.ts'
import { postgres } from '../../../lib/sources/postgres/index.ts'
import { redis } from '../../../lib/sources/redis/index.ts'
import { sqlite } from '../../../lib/sources/sqlite/index.ts'

const RUN = '20261121t100000zabc123'
const text = (value: string | Secret | undefined) => (value instanceof Secret ? value.reveal() : value)
const of = (...parts: ReturnType<typeof sqlite>[]) => new Map(parts.map(part => [part.name, part]))
const url = (value: string) => new Secret('URL', value)
const pg = postgres('database', { url: url('postgres://backup:b%40ckup@db.internal/'), database: 'shop' })
const away = (parts: ReadonlyMap<string, ReturnType<typeof sqlite>>, rehearse: Readonly<Record<string, Rehearsed>>, given: Given) =>
  ledAway({ parts, rehearse, given, run: RUN })

describe('an address leads to the copy', () => {
  const lite = sqlite('database', { file: '/srv/shop.sqlite' })
  const folder = files('media', { directory: '/srv/media' })
  const mongo = mongodb('database', { uri: url('mongodb://u:p@db:27017/?authSource=admin'), databases: ['shop'] })
  test.each([
    [lite, '/srv/shop.sqlite', `/srv/.shop.sqlite.scratch/shop.sqlite__drill_${RUN}`],
    [lite, 'file:/srv/./shop.sqlite?mode=ro', `file:/srv/.shop.sqlite.scratch/shop.sqlite__drill_${RUN}?mode=ro`],
    [lite, 'sqlite:///srv/shop.sqlite', `sqlite:///srv/.shop.sqlite.scratch/shop.sqlite__drill_${RUN}`],
    [lite, '/srv/other.sqlite', undefined],
    [lite, 'shop.sqlite', undefined],
    [folder, '/srv/media', `/srv/.media.scratch/media__drill_${RUN}`],
    [folder, '/srv/media/x', undefined],
    [pg, 'postgres://app:p%23w@postgres:5432/shop?schema=public', `postgres://app:p%23w@postgres:5432/shop__drill_${RUN}?schema=public`],
    [pg, 'postgresql://app@other/shop', `postgresql://app@other/shop__drill_${RUN}`],
    [pg, 'postgres://app@postgres/shop2', undefined],
    [pg, 'redis://cache/shop', undefined],
    [pg, 'production', undefined],
    [mongo, 'mongodb://app:pw@mongo/shop?authSource=admin', `mongodb://app:pw@mongo/shop__drill_${RUN}?authSource=admin`],
    // The driver looks for the user in the database of the path, which is another one now.
    [mongo, 'mongodb://app:pw@mongo/shop', `mongodb://app:pw@mongo/shop__drill_${RUN}?authSource=shop`],
    [mongo, 'mongodb://mongo/shop', `mongodb://mongo/shop__drill_${RUN}`],
    [mongo, 'mongodb://mongo/shop2', undefined],
  ])('%o: %s', (part, address, copy) => {
    expect(part.copyFor?.(address, RUN)).toBe(copy)
  })

  test('on a throw-away server it is that server, with the words of the framework', () => {
    const other = postgres('database', {
      url: url('postgres://db/'),
      database: 'shop',
      scratch: url('postgres://drill:d@127.0.0.1:5999/?sslmode=disable'),
    })
    expect(other.copyFor?.('postgres://app:secret@db/shop?schema=public', RUN)).toBe(
      `postgres://drill:d@127.0.0.1:5999/shop__drill_${RUN}?sslmode=disable&schema=public`,
    )
  })

  test('whatever the address is, what comes out is another one, and no address of the live database any more', () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/)
    const address = fc.record({ user: word, host: word, port: fc.integer({ min: 1, max: 65_535 }), schema: fc.option(word) })
    fc.assert(
      fc.property(address, ({ user, host, port, schema }) => {
        const live = `postgres://${user}:pw@${host}:${port}/shop${schema ? `?schema=${schema}` : ''}`
        const copy = pg.copyFor?.(live, RUN) ?? ''
        expect(pg.copyFor?.(copy, RUN)).toBeUndefined()
        expect(copy).toContain(`__drill_${RUN}`)
      }),
    )
  })
})

describe('a release is led away', () => {
  const cache = redis('cache', { url: url('redis://cache') })
  const live = url('postgres://app@db/shop')

  test('by its settings, secrets as secrets; a part that nobody can be led to is left out by a value of its own', () => {
    const rehearse = { DATABASE_URL: 'database', CACHE_URL: { value: 'redis://127.0.0.1:1', insteadOf: 'cache' }, MAIL: { value: 'off' } }
    const { instead, faults } = away(of(pg, cache), rehearse, { DATABASE_URL: live, CACHE_URL: 'redis://cache', MAIL: 'smtp://mail', OTHER: 'x' })
    expect(faults).toEqual([])
    expect(Object.entries(instead).map(([name, value]) => [name, text(value), value instanceof Secret])).toEqual([
      ['DATABASE_URL', `postgres://app@db/shop__drill_${RUN}`, true],
      ['CACHE_URL', 'redis://127.0.0.1:1', false],
      ['MAIL', 'off', false],
    ])
  })

  test.each<[string, Readonly<Record<string, Rehearsed>>, Given, RegExp]>([
    ['no part is named', {}, {}, /^Nothing says by which setting the release finds database .*rehearse: \{ ‹setting›: 'database' \}$/],
    ['the release lacks the setting', { DATABASE_URL: 'database' }, {}, /^The release is not given DATABASE_URL, by which/],
    [
      'it leads elsewhere',
      { DATABASE_URL: 'database' },
      { DATABASE_URL: 'postgres://db/else' },
      /^DATABASE_URL of the release does not lead to database/,
    ],
    ['another leads there, too', { A: 'database' }, { A: live, B: 'postgres://replica/shop' }, /^B of the release leads to database, too/],
    [
      'a file of settings holds an address of it',
      { A: 'database' },
      { A: live, 'app.yaml': 'pool: 4\nurl: "jdbc:postgresql://app@db/shop", # main\n' },
      /^app.yaml of the release holds an address of database; .*by a setting of its own$/,
    ],
    ['the part is not here', { A: 'database', B: 'photos' }, { A: live, B: 'x' }, /leads B to "photos", which this environment does not have/],
  ])('not where %s', (_, rehearse, given, why) => {
    const { faults } = away(of(pg), rehearse, given)
    expect(faults.map(({ because, mend }) => `${because}; ${mend}`)).toEqual([expect.stringMatching(why)])
  })

  test('by the name of its database alone, where the release is given its address in pieces, and only by the setting that is said', () => {
    const given = { DB_HOST: 'postgres', DB_NAME: 'shop', APP_NAME: 'shop' }
    const { instead, faults } = away(of(pg), { DB_NAME: 'database' }, given)
    expect([instead, faults]).toEqual([{ DB_NAME: `shop__drill_${RUN}` }, []])
    const elsewhere = postgres('database', { url: url('postgres://db/'), database: 'shop', scratch: url('postgres://other/') })
    expect(away(of(elsewhere), { DB_NAME: 'database' }, given).faults).toHaveLength(1)
  })

  test('not where a part cannot lead anybody to its copy', () => {
    const { faults } = away(of(cache), { CACHE_URL: 'cache' }, { CACHE_URL: 'redis://cache' })
    expect(faults[0]?.because).toBe('No application can be led to a copy of cache (redis)')
    expect(faults[0]?.mend).toContain("insteadOf: 'cache'")
  })

  test('never with a word of what is secret', () => {
    const hidden = url('postgres://app:t0psecret@db/shop')
    for (const given of [{ A: hidden }, { A: url('postgres://app:t0psecret@db/else') }] as Given[])
      for (const rehearse of [{}, { A: 'database' }]) expect(JSON.stringify(away(of(pg), rehearse, given))).not.toContain('t0psecret')
  })
})
