import type { IncomingHttpHeaders } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lockRight } from '../../lib/backups/doctor.ts'
import type { AzureOptions } from '../../lib/stores/azure-blob/client.ts'
import { isLocked } from '../../lib/stores/store.ts'
import { type Azurite, azurite, describeWith } from '../testbed/index.ts'
import { forwarder } from './forwarder.ts'
import { bytes, doing, open, refusal, said } from './recipes.ts'

const DAY_MS = 86_400_000

describeWith('azure', 'immutability of azure-blob', () => {
  let server: Azurite
  let made = 0
  beforeAll(async () => {
    server = await azurite()
    await server.container('lock')
  })
  afterAll(async () => server?.stop())

  const store = (more: Partial<Omit<AzureOptions, 'key'>>) => {
    const plain = { kind: 'azure-blob', account: server.account, key: server.key, container: 'lock', prefix: `store ${++made}` } as const
    return open({ ...plain, endpoint: server.endpoint, ...more })
  }

  /** Azurite without what it lacks: the forwarder says in its place that the container and its blobs are locked, and keeps what was asked for. */
  const locking = async () => {
    const { origin, pathname } = new URL(server.endpoint)
    const puts: IncomingHttpHeaders[] = []
    const way = await forwarder(origin, ({ method, headers, url }) => {
      if (method === 'PUT' && !url?.includes('comp=block&')) puts.push(headers)
      const until = new Date(Date.now() + 30 * DAY_MS).toUTCString()
      return { headers: { 'x-ms-immutable-storage-with-versioning-enabled': 'true', 'x-ms-immutability-policy-until-date': until } }
    })
    return { store: store({ immutable: '30d', endpoint: way.endpoint + pathname }), puts, [Symbol.asyncDispose]: way.stop }
  }

  test('nothing is locked where nobody asks for it, and the look says so', async () => {
    const facts = await store({}).facts(doing())
    expect(facts.lock).toEqual({ mode: 'none', asked: false, says: 'objects can be removed at any time' })
    expect(lockRight(facts)).toMatchObject({ holds: true, title: 'azure-blob: objects can be removed at any time' })
  })

  test('a service that cannot lock is told by the look, and no backup is said to be stored there', async () => {
    const wanting = store({ immutable: '30d' })
    const facts = await wanting.facts(doing())
    expect(facts).toMatchObject({
      state: 'writable',
      lock: { mode: 'none', asked: true, says: expect.stringMatching(/no version-level immutability/) },
    })
    expect(lockRight(facts)).toMatchObject({ holds: false, mend: 'az storage container-rm migrate-vlw --storage-account testbed --name lock' })
    for (const total of [100, 20_000_000])
      expect(await refusal(wanting.put('object', bytes(total), doing()))).toMatchObject({
        fault: 'broken',
        message: expect.stringMatching(/could not be locked/),
      })
    expect(await wanting.list('')).toEqual([])
    expect(await wanting.leftovers('', 0)).toEqual([])
  })

  test.each([
    ['in one request', 100],
    ['in blocks', 20_000_000],
  ])('an object that is put %s carries a locked policy until its time', async (_, total) => {
    await using way = await locking()
    await way.store.put('object', bytes(total), doing())
    expect(way.puts).toHaveLength(1)
    expect(way.puts[0]).toMatchObject({ 'x-ms-immutability-policy-mode': 'Locked', 'if-none-match': '*' })
    expect(isLocked(await way.store.head('object'))).toBe(true)
    const until = Date.parse(String(way.puts[0]!['x-ms-immutability-policy-until-date']))
    expect(Math.abs(until - Date.now() - 30 * DAY_MS)).toBeLessThan(20_000)
  })

  test('cells and the look’s own probes carry none', async () => {
    await using way = await locking()
    const cell = way.store.cell('lease')
    await cell.write('two', (await cell.write('one', '')).version)
    const facts = await way.store.facts(doing())
    expect(facts.lock).toEqual({ mode: 'compliance', asked: true, says: 'every object is locked for 30 d 0 h; nobody can shorten that' })
    expect(way.puts).toHaveLength(4)
    for (const headers of way.puts) expect(headers).not.toHaveProperty('x-ms-immutability-policy-mode')
    await way.store.put('object', said('x'), doing())
    expect(lockRight(facts).holds).toBe(true)
  })
})
