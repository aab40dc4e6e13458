import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { AzureOptions } from '../../lib/stores/azure-blob/client.ts'
import type { Store } from '../../lib/stores/store.ts'
import { type Azurite, azurite, describeWith, type Toxiproxy, toxiproxy } from '../testbed/index.ts'
import { bytes, digest, doing, open, type Recipe, refusal, said } from './recipes.ts'

const MIB = 1024 * 1024

/** A body that does something once, after so many bytes. */
async function* interrupted(total: number, after: number, what: () => Promise<void>): AsyncGenerator<Buffer> {
  let sent = 0
  let done = false
  for await (const chunk of bytes(total)) {
    yield chunk
    sent += chunk.length
    if (sent >= after && !done) {
      done = true
      await what()
    }
  }
}

describeWith(['azure', 'toxiproxy'], 'azure-blob over a bad network', () => {
  let server: Azurite
  let proxies: Toxiproxy
  let way: Awaited<ReturnType<Toxiproxy['through']>>
  let made = 0
  beforeAll(async () => {
    ;[server, proxies] = await Promise.all([azurite(), toxiproxy()])
    await server.container('faults')
  })
  beforeEach(async () => {
    way = await proxies.through(new URL(server.endpoint).host)
  })
  afterAll(async () => {
    await Promise.all([server?.stop(), proxies?.stop()])
  })

  /** The same place twice: through the proxy, and straight. */
  const places = (more: Partial<AzureOptions> = {}): { store: Store; straight: Store } => {
    const plain = { kind: 'azure-blob', account: server.account, key: server.key, container: 'faults', prefix: `store ${++made}` } as const
    const through = { ...plain, ...more, endpoint: `http://${way.address}/${server.account}` } as Recipe
    return { store: open(through), straight: open({ ...plain, endpoint: server.endpoint }) }
  }

  const nothingThere = async (straight: Store) => {
    expect(await straight.list('')).toEqual([])
    expect(await straight.leftovers('', 0)).toEqual([])
  }

  test('an upload outlives an interruption of a second', async () => {
    const { store, straight } = places()
    const body = interrupted(60 * MIB, 20 * MIB, async () => {
      await way.down()
      setTimeout(() => void way.up(), 1_000)
    })
    expect(await store.put('object', body, doing())).toEqual({ bytes: 60 * MIB })
    expect(await digest(straight.get('object', doing()))).toBe(await digest(bytes(60 * MIB)))
    expect(await straight.leftovers('', 0)).toEqual([])
  })

  test('connections that are reset again and again for a second do not end an upload', async () => {
    const { store, straight } = places()
    const body = interrupted(60 * MIB, 20 * MIB, async () => {
      await way.toxic('reset_peer', { timeout: 50 })
      setTimeout(() => void way.clear(), 1_000)
    })
    await store.put('object', body, doing())
    expect(await digest(straight.get('object', doing()))).toBe(await digest(bytes(60 * MIB)))
  })

  test('an upload whose server stays away is unreachable, no object appears, and the remains are named and can be cleared', async () => {
    const { store, straight } = places({ attempts: 2 })
    const body = interrupted(80 * MIB, 48 * MIB, () => way.down())
    const error = await refusal(store.put('a/object', body, doing()))
    expect(error.fault).toBe('unreachable')
    expect(error.message).toMatch(
      /^a\/object in azure:.* does not answer \(.*\); the unfinished upload .* until leftovers are cleared, or for a week$/,
    )
    expect(await straight.list('')).toEqual([])
    await way.up()
    const found = await store.leftovers('a', 0)
    expect(found).toMatchObject([{ path: 'a/object', bytes: expect.any(Number) }])
    expect(found[0]!.bytes).toBeGreaterThanOrEqual(16 * MIB)
    await store.clear(found[0]!)
    await nothingThere(straight)
    await store.put('a/object', said('again'), doing())
  })

  test('when nobody can say whether an object was stored, the message says so', async () => {
    const { store, straight } = places({ attempts: 1 })
    const body = async function* () {
      yield Buffer.from('x')
      await way.down()
    }
    expect((await refusal(store.put('object', body(), doing(), 1))).message).toMatch(/whether object in .* was stored in the end is not known$/)
    await nothingThere(straight)
  })

  test('a download takes up where its connection broke', async () => {
    const { store, straight } = places()
    await straight.put('object', bytes(20 * MIB), doing())
    await way.toxic('limit_data', { bytes: 3_000_000 })
    expect(await digest(store.get('object', doing()))).toBe(await digest(bytes(20 * MIB)))
    const range = { start: MIB, end: 9 * MIB }
    expect(await digest(store.get('object', doing(), range))).toBe(await digest(straight.get('object', doing(), range)))
  })

  test('a download over connections that bring next to nothing is given up, with the byte that it reached', async () => {
    const { store, straight } = places({ attempts: 2 })
    await straight.put('object', bytes(8 * MIB), doing())
    await way.toxic('limit_data', { bytes: 100_000 })
    const error = await refusal(digest(store.get('object', doing())))
    expect(error.fault).toBe('unreachable')
    expect(error.message).toMatch(/given up at byte \d{5,6} of 8388608 after 4 tries in a row/)
  })

  test('a download never mixes two objects', async () => {
    const { store, straight } = places()
    await straight.put('object', bytes(8 * MIB), doing())
    await way.toxic('limit_data', { bytes: 3_000_000 })
    const reading = async () => {
      let replaced = false
      for await (const _ of store.get('object', doing())) {
        if (replaced) continue
        replaced = true
        await straight.remove('object')
        await straight.put('object', bytes(8 * MIB - 1), doing())
      }
    }
    expect(await refusal(reading())).toMatchObject({ fault: 'broken', message: expect.stringMatching(/replaced by another while it was read/) })
  })

  test('latency and a narrow line only take time', async () => {
    const { store } = places()
    await way.toxic('latency', { latency: 100, jitter: 50 })
    await way.toxic('bandwidth', { rate: 1_000 }, 'upstream')
    await store.put('object', bytes(2 * MIB), doing())
    expect(await digest(store.get('object', doing()))).toBe(await digest(bytes(2 * MIB)))
    const cell = store.cell('lease')
    await cell.write('x', (await cell.read()).version)
    expect((await store.facts(doing())).state).toBe('writable')
  })

  test('a listing whose line breaks now and then is whole', async () => {
    const { store, straight } = places()
    for (let n = 0; n < 40; n += 1) await straight.put(`many/${'x'.repeat(200)}${n}`, said('x'), doing(), 1)
    await way.toxic('limit_data', { bytes: 5_000 })
    setTimeout(() => void way.clear(), 500)
    const listed = await store.list('many').catch((error: Error & { fault?: string }) => error)
    if (listed instanceof Error) expect(listed).toMatchObject({ fault: 'unreachable' })
    else expect(listed).toHaveLength(40)
    await way.clear()
    expect(await store.list('many')).toHaveLength(40)
  })

  test('a server that falls silent is given up after the silence that was allowed', async () => {
    const { store, straight } = places({ attempts: 1, silence: '1s' })
    // More than the buffers on the way can hold.
    await straight.put('object', bytes(40 * MIB), doing())
    const began = Date.now()
    const get = async () => {
      let silenced: Promise<void> | undefined
      let silent = false
      // Read on meanwhile, though slowly: the proxy takes a fault on only between two writes, and the object must not end before.
      for await (const _ of store.get('object', doing())) {
        silenced ??= way.toxic('timeout', { timeout: 0 }).then(() => {
          silent = true
        })
        if (!silent) await new Promise(resolve => setTimeout(resolve, 50))
      }
      await silenced
    }
    expect((await refusal(get())).fault).toBe('unreachable')
    for (const call of [() => store.put('other', bytes(MIB), doing()), () => store.list(''), () => store.cell('x').write('x', '')]) {
      expect((await refusal(call())).fault).toBe('unreachable')
    }
    expect((await store.facts(doing())).state).toBe('unreachable')
    expect(Date.now() - began).toBeLessThan(25_000)
  })

  test('Ctrl-C on a silent network ends a put within the time for cleaning up', async () => {
    const { store, straight } = places()
    const stop = new AbortController()
    const reason = new Error('Ctrl-C')
    let stopped = Number.NaN
    const body = interrupted(80 * MIB, 20 * MIB, async () => {
      await way.toxic('timeout', { timeout: 0 }, 'upstream')
      // By then every block that may be under way is stuck.
      setTimeout(() => {
        stopped = Date.now()
        stop.abort(reason)
      }, 1_500)
    })
    expect(await refusal(store.put('object', body, doing(stop.signal)))).toBe(reason)
    expect(Date.now() - stopped).toBeLessThan(7_000)
    expect(await straight.list('')).toEqual([])
  })

  test('writers that add one over a network that is reset now and then lose none', async () => {
    const { store, straight } = places()
    let ended = false
    const trouble = (async () => {
      while (!ended) {
        await way.toxic('reset_peer', { timeout: 0 })
        await delay(30)
        await way.clear()
        await delay(150)
      }
    })()
    const wins: number[] = []
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let done = 0; done < 5; ) {
          const cell = store.cell('counter')
          const { body, version } = await cell.read()
          const next = Number(body ?? '0') + 1
          const outcome = await cell.write(String(next), version).catch((error: Error & { fault?: string }) => error)
          if (!(outcome instanceof Error)) {
            wins.push(next)
            done += 1
          } else expect(outcome.fault).toBe('conflict')
        }
      }),
    )
    ended = true
    await trouble
    expect(new Set(wins).size).toBe(20)
    expect(Number((await straight.cell('counter').read()).body)).toBeGreaterThanOrEqual(20)
  })

  test('a server killed in the middle of an upload and started again loses nothing that was said to be stored', async () => {
    const { store, straight } = places()
    await store.put('before', bytes(MIB), doing())
    // Azurite keeps its list of blobs in memory and writes it every five seconds.
    await delay(6_000)
    const body = interrupted(60 * MIB, 40 * MIB, async () => {
      await server.kill()
      await server.start()
    })
    const outcome = await store.put('object', body, doing()).catch((error: Error) => error)
    expect(await digest(straight.get('before', doing()))).toBe(await digest(bytes(MIB)))
    const head = await straight.head('object')
    if (outcome instanceof Error) expect(head).toBe(null)
    else expect(await digest(straight.get('object', doing()))).toBe(await digest(bytes(60 * MIB)))
  })
})
