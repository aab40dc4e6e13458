import { expect, test } from 'vitest'
import { mongodb as source } from '../../../lib/sources/mongodb/index.ts'
import { collect, doing } from '../../exec/doing.ts'
import { describeWith, type Mongo, mongodb } from '../../testbed/index.ts'
import { secret, seed } from './seed.ts'

describeWith(['mongodb', 'mongodb-tools'], 'a MongoDB server that is killed', () => {
  // mongorestore looks for a dead server for 30 s before it gives up, mongodump twice as long.
  test('a server killed halfway fails the dump and the load', { timeout: 90_000 }, async () => {
    const [first, second] = await Promise.all([mongodb(), mongodb()])
    await Promise.all([first, second].map(one => seed(one.uri, 1_000)))
    const of = (one: Mongo) => source('database', { uri: secret(one.uri), databases: ['shop'] })
    const archive = await collect(of(second).dump().open(doing()))

    const dump = (async () => {
      const taken = of(first).dump()
      for await (const _ of taken.open(doing())) await first.kill()
      return taken.content()
    })()
    const load = of(second)
      .load('beside', 'r1')
      .take(
        (async function* () {
          yield archive.subarray(0, archive.length / 2)
          await second.kill()
          yield archive.subarray(archive.length / 2)
        })(),
        doing(),
      )
    const [dumpEnd, loadEnd] = await Promise.allSettled([dump, load])
    expect(dumpEnd).toMatchObject({
      status: 'rejected',
      reason: { exit: 4, message: expect.stringMatching(/^mongodump exited 1: [^\n]*connection[^\n]*$/) },
    })
    expect(loadEnd).toMatchObject({
      status: 'rejected',
      reason: { exit: 4, message: expect.stringMatching(/^mongorestore exited 1: [^\n]*connection[^\n]*$/) },
    })
    await Promise.all([first.stop(), second.stop()])
  })
})
