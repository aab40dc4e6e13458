import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Moves, swapBackMoves, swapMoves } from '../../../lib/sources/mongodb/moves.ts'

/** A database as a map from collection to what it holds; renaming refuses to overwrite, as the server does. */
type Database = Map<string, string>

function apply(database: Database, { moves }: Moves, limit = Number.POSITIVE_INFINITY): void {
  for (const { from, to } of moves.slice(0, limit)) {
    if (database.has(to) || !database.has(from)) throw new Error(`${from} → ${to} is refused`)
    database.set(to, database.get(from)!)
    database.delete(from)
  }
}

function loaded(live: readonly string[], backup: readonly string[]): Database {
  return new Map([
    ...live.map(name => [name, `old ${name}`] as const),
    ...backup.map(name => [`${name}__restore_r1`, `new ${name}`] as const),
    ['system.views', 'server'],
    ['orders__aside_r0', 'of another run'],
  ])
}

const sorted = (database: Database) => [...database].sort(([a], [b]) => (a < b ? -1 : 1))
const names = fc.uniqueArray(fc.constantFrom('orders', 'users', 'logs', 'media', 'tags'), { maxLength: 5 })
const backups = fc.uniqueArray(fc.constantFrom('orders', 'users', 'logs', 'media', 'tags'), { minLength: 1, maxLength: 5 })
const kill = fc.integer({ min: 0, max: 12 })

test('a swap killed between any two renamings and called again ends as one that was not, and a further call does nothing', () => {
  fc.assert(
    fc.property(names, backups, kill, kill, (live, backup, first, second) => {
      const database = loaded(live, backup)
      for (const limit of [first, second, 99]) apply(database, swapMoves([...database.keys()], 'r1', backup), limit)
      const expected = new Map([
        ...live.map(name => [`${name}__aside_r1`, `old ${name}`] as const),
        ...backup.map(name => [name, `new ${name}`] as const),
        ['system.views', 'server'],
        ['orders__aside_r0', 'of another run'],
      ])
      expect(sorted(database)).toEqual(sorted(expected as Database))
      database.set('sessions', 'made by the application after the swap')
      expect(swapMoves([...database.keys()], 'r1', backup)).toEqual({ moves: [], conflicts: [] })
    }),
  )
})

test('a swap killed anywhere is taken back to exactly what stood before, also when the taking back is killed', () => {
  fc.assert(
    fc.property(names, backups, kill, kill, kill, (live, backup, swapped, first, second) => {
      const database = loaded(live, backup)
      const before = sorted(database)
      apply(database, swapMoves([...database.keys()], 'r1', backup), swapped)
      for (const limit of [first, second, 99, 99]) apply(database, swapBackMoves([...database.keys()], 'r1', backup), limit)
      expect(sorted(database)).toEqual(before)
    }),
  )
})

test('a collection made again by a writer in the middle is named, in both directions', () => {
  const standing = ['orders', 'orders__aside_r1', 'orders__restore_r1', 'users', 'users__restore_r1']
  const sentence = 'orders was made again by a writer while its old collection stands as orders__aside_r1'
  expect(swapMoves(standing, 'r1', ['orders', 'users']).conflicts).toEqual([sentence])
  expect(swapBackMoves(standing, 'r1', ['orders', 'users']).conflicts).toEqual([sentence])
  // One that the backup lacks.
  expect(swapMoves(['logs', 'logs__aside_r1', 'orders__restore_r1'], 'r1', ['orders']).conflicts).toHaveLength(1)
  expect(swapBackMoves(['logs', 'logs__aside_r1', 'orders'], 'r1', ['orders']).conflicts).toHaveLength(1)
})

test('a collection of the backup that stands nowhere is named', () => {
  expect(swapMoves(['users'], 'r1', ['orders']).conflicts).toEqual(['orders stands neither live nor beside'])
  expect(swapBackMoves(['orders__aside_r1'], 'r1', ['orders']).conflicts).toEqual([
    'orders is gone since the swap; its old collection is orders__aside_r1',
  ])
})
