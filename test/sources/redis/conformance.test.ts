import { afterAll, beforeAll } from 'vitest'
import { describeWith, type Redis, redis } from '../../testbed/index.ts'
import { conforms } from '../conformance.ts'
import { everything, SHOP, sourceOf } from './shop.ts'

describeWith('redis', 'one server, emptied for each test', () => {
  let server: Redis
  let made = 0

  beforeAll(async () => {
    server = await redis()
  })
  afterAll(() => server?.stop())

  conforms('redis', async () => ({
    source: sourceOf(server),
    fill: async () => void server.command('EVAL', SHOP, '0'),
    mutate: async () => {
      server.command('SET', `more ${made++}`, 'x')
      server.command('HSET', 'hash', 'field 1', `changed ${made++}`)
      server.command('-n', '5', 'SET', 'new database', 'x')
    },
    destroy: async () => void server.command('FLUSHALL'),
    read: async () => everything(server),
    end: async () => void server.command('FLUSHALL'),
  }))
})
