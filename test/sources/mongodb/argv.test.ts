import { expect, test } from 'vitest'
import { Secret } from '../../../lib/plan/secrets.ts'
import { dumpArgv, renaming, restoreArgv, restored } from '../../../lib/sources/mongodb/argv.ts'
import { mongodb } from '../../../lib/sources/mongodb/index.ts'
import { leftover, scratchRun } from '../../../lib/sources/mongodb/names.ts'
import { toolConfig, whereOf } from '../../../lib/sources/mongodb/uri.ts'

const config = (uri: string) => toolConfig(new Secret('DB_URI', uri)).reveal()

test('a dump is an uncompressed archive on stdout, with the connection on descriptor 3 and each unwanted collection named', () => {
  expect(dumpArgv({ database: 'shop', excluded: ['a__aside_r1', 'system.js'] })).toEqual([
    '--config=/dev/fd/3',
    '--archive',
    '--db=shop',
    '--excludeCollection=a__aside_r1',
    '--excludeCollection=system.js',
  ])
  expect(dumpArgv({ oplog: true })).toEqual(['--config=/dev/fd/3', '--archive', '--oplog'])
})

test('a restore goes beside or into another database, stops at the first error, and never drops', () => {
  expect(restoreArgv(renaming('shop', 'shop', '__restore_r1'))).toEqual([
    '--config=/dev/fd/3',
    '--archive',
    '--nsFrom=shop.$c$',
    '--nsTo=shop.$c$__restore_r1',
    '--stopOnError',
  ])
  expect(renaming('a*b$', 'c\\d')).toEqual({ from: 'a\\*b\\$.$c$', to: 'c\\\\d.$c$' })
})

test('the count of failed documents is read from the last line, because the exit code is 0 all the same', () => {
  expect(restored('…\n2026-11-21T09:34:07.545+0000\t51 document(s) restored successfully. 3 document(s) failed to restore.')).toEqual({
    done: 51,
    failed: 3,
  })
  expect(restored('Failed: cannot connect')).toBeUndefined()
})

test.each([
  ['drops what makes the tools hang', 'mongodb://h/?serverSelectionTimeoutMS=500&retryWrites=false', 'mongodb://h/?retryWrites=false'],
  ['drops it in any case of letters', 'mongodb://h:1/?SERVERSELECTIONTIMEOUTMS=5', 'mongodb://h:1/'],
  ['says where the user lives, as the driver assumes it', 'mongodb://u:p1@h/', 'mongodb://u:p1@h/?authSource=admin'],
  ['takes a database in the path as the home of the user', 'mongodb://u:p2@h/people?tls=true', 'mongodb://u:p2@h/?tls=true&authSource=people'],
  ['leaves authSource alone', 'mongodb://u:p3@h/shop?authSource=x', 'mongodb://u:p3@h/?authSource=x'],
  ['leaves users alone that live elsewhere', 'mongodb+srv://u@h/?authMechanism=MONGODB-X509', 'mongodb+srv://u@h/?authMechanism=MONGODB-X509'],
  ['keeps all members of a replica set', 'mongodb://a:1,b:2/?replicaSet=rs', 'mongodb://a:1,b:2/?replicaSet=rs'],
])('the address for the tools %s', (_, uri, expected) => {
  expect(config(uri)).toBe(`uri: ${JSON.stringify(expected)}\n`)
})

test('an address shown has neither user, password nor options', () => {
  expect(whereOf(new Secret('DB_URI', 'mongodb://ops:s%20e@a:1,b:2/x?authSource=y'), 'shop')).toBe('mongodb://a:1,b:2/shop')
})

test('a wrong address or more than one database is a usage error that does not repeat the password', () => {
  for (const password of ['p@ss/word', 'p@ss', 'a?b', 'a/b', 'a b@c', 'a#b@c']) {
    const bad = () => mongodb('database', { uri: new Secret('DB_URI', `mongodb://ops:${password}@host:1/`), databases: ['shop'] })
    expect(bad, password).toThrow(expect.objectContaining({ exit: 2, message: 'DB_URI is not a MongoDB address.' }))
  }
  const two = () => mongodb('database', { uri: new Secret('DB_URI', 'mongodb://h/'), databases: ['a', 'b'] })
  expect(two).toThrow(expect.objectContaining({ exit: 2, message: 'database.databases must name one database, found 2.' }))
})

test('names that a run made are told from the application’s own', () => {
  expect(leftover('orders__restore_r7f3')).toEqual({ of: 'orders', place: 'beside', run: 'r7f3' })
  expect(leftover('a__restore_x__aside_r1')).toEqual({ of: 'a__restore_x', place: 'aside', run: 'r1' })
  expect(leftover('orders__restore_')).toBeUndefined()
  expect(leftover('restore_r1')).toBeUndefined()
  expect(scratchRun('shop__drill_r1', 'shop')).toBe('r1')
  expect(scratchRun('shopping__drill_r1', 'shop')).toBeUndefined()
})
