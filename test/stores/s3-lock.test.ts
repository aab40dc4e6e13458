import { GetObjectLockConfigurationCommand, ListObjectVersionsCommand, PutObjectLockConfigurationCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lockRight } from '../../lib/backups/doctor.ts'
import type { DataSite } from '../../lib/backups/site.ts'
import { objectsRemoved } from '../../lib/backups/verbs/copy.ts'
import type { S3Options } from '../../lib/stores/s3/client.ts'
import { describeWith, type Minio, minio } from '../testbed/index.ts'
import { cells } from './conformance/cells.ts'
import { forwarder, refusing } from './forwarder.ts'
import { bytes, digest, doing, open, type Recipe, refusal, said } from './recipes.ts'

const MIB = 1024 * 1024
const DAY_MS = 86_400_000

describeWith('s3', 'object lock of s3', () => {
  let server: Minio
  let client: S3Client
  let made = 0
  beforeAll(async () => {
    server = await minio()
    const credentials = { accessKeyId: server.accessKey, secretAccessKey: server.secretKey }
    client = new S3Client({ endpoint: server.endpoint, region: server.region, forcePathStyle: true, credentials })
    await server.bucket('locked', { objectLock: true })
    await server.bucket('plain')
  })
  afterAll(async () => {
    client?.destroy()
    await server?.stop()
  })

  const recipe = (more: Partial<S3Options> = {}): Recipe => ({
    kind: 's3',
    endpoint: server.endpoint,
    accessKey: server.accessKey,
    secretKey: server.secretKey,
    bucket: 'locked',
    prefix: `store ${++made}`,
    ...more,
  })
  const month = { mode: 'compliance', for: '30d' } as const
  const versions = async (Prefix: string) => {
    const { Versions = [], DeleteMarkers = [] } = await client.send(new ListObjectVersionsCommand({ Bucket: 'locked', Prefix }))
    return { versions: Versions.length, markers: DeleteMarkers.length }
  }

  describe('in a bucket that keeps versions', () => cells(async () => open(recipe())))

  test.each([
    ['in one request', 1_000, 'when-supported', 'compliance'],
    ['in parts', 20 * MIB, 'when-supported', 'compliance'],
    ['in one request without the SDK’s checksums', 1_000, 'when-required', 'governance'],
    ['in parts without the SDK’s checksums', 20 * MIB, 'when-required', 'governance'],
  ] as const)('an object that was put %s cannot be removed before its time, and the message says until when', async (_, total, checksums, mode) => {
    const store = open(recipe({ lock: { mode, for: '30d' }, checksums }))
    await store.put('object', bytes(total), doing())
    const error = await refusal(store.remove('object'))
    expect(error).toMatchObject({
      fault: 'denied',
      message: expect.stringMatching(/^object in s3:.* is locked until [\d-]+T[\d:.]+Z \(\w+\); nothing was removed$/),
    })
    expect(error.message).toContain(`(${mode})`)
    const until = Date.parse(/until (\S+)/.exec(error.message)?.[1] ?? '')
    expect(Math.abs(until - Date.now() - 30 * DAY_MS)).toBeLessThan(20_000)
    expect(Date.parse((await store.head('object'))?.lockedUntil ?? '')).toBe(until)
    expect(await digest(store.get('object', doing()))).toBe(await digest(bytes(total)))
    expect((await refusal(store.put('object', said('x'), doing()))).fault).toBe('exists')
  })

  test('an object whose time is over is really removed, with nothing left that takes up room', async () => {
    const store = open(recipe({ prefix: 'over', lock: { mode: 'compliance', for: '2s' } }))
    await store.put('object', said('x'), doing())
    expect((await refusal(store.remove('object'))).fault).toBe('denied')
    await new Promise(resolve => setTimeout(resolve, 2_500))
    await store.remove('object')
    await store.remove('object')
    expect(await versions('over/')).toEqual({ versions: 0, markers: 0 })
  })

  test('taking back a backup that failed leaves its locked objects to their time, and is done', async () => {
    const store = open(recipe({ lock: month }))
    await store.put('run/object', said('x'), doing())
    const site = { stores: new Map([['s3', store]]) } as unknown as DataSite
    const args = { store: 's3', folder: 'run', files: ['object', 'object.frames'] }
    expect((await objectsRemoved.look(args, site, doing())).state).toEqual({ left: 0 })
    const [action] = objectsRemoved.does!(args, site)
    expect(action?.kind).toBe('call')
    if (action?.kind === 'call') await action.run(doing())
    expect((await store.list('run')).map(({ path }) => path)).toEqual(['run/object'])
  })

  test('cells change as ever, and their old versions go away', async () => {
    const store = open(recipe({ prefix: 'cells', lock: month }))
    const cell = store.cell('lease')
    for (let n = 0; n < 5; n += 1) await cell.write(String(n), (await cell.read()).version)
    expect((await cell.read()).body).toBe('4')
    expect(await versions('cells/')).toEqual({ versions: 1, markers: 0 })
  })

  test('a look says what is promised, and leaves nothing', async () => {
    const store = open(recipe({ prefix: 'looks', lock: month }))
    const facts = await store.facts(doing())
    expect(facts.lock).toEqual({ mode: 'compliance', asked: true, says: 'every backup is locked for 30 d 0 h, and nobody can shorten that' })
    expect(lockRight(facts)).toMatchObject({ holds: true, title: 's3: every backup is locked for 30 d 0 h, and nobody can shorten that' })
    expect((await open(recipe({ prefix: 'looks' })).facts(doing())).lock).toMatchObject({ mode: 'none', asked: false })
    expect(await versions('looks/')).toEqual({ versions: 0, markers: 0 })
  })

  test('a bucket without object lock: the look tells, and no upload goes through unlocked', async () => {
    const store = open(recipe({ bucket: 'plain', lock: month }))
    const facts = await store.facts(doing())
    expect(facts).toMatchObject({ state: 'writable', lock: { mode: 'none', asked: true } })
    expect(lockRight(facts)).toMatchObject({ holds: false, mend: expect.stringMatching(/--object-lock-enabled-for-bucket/) })
    for (const total of [1_000, 20 * MIB]) expect((await refusal(store.put('object', bytes(total), doing()))).message).toMatch(/ObjectLock/)
    expect(await store.list('')).toEqual([])
    expect((await open(recipe({ bucket: 'plain' })).facts(doing())).lock).toEqual({
      mode: 'none',
      asked: false,
      says: 'objects can be removed at any time',
    })
  })

  test('a lock of the bucket’s own is told too, because leases are under it', async () => {
    const Bucket = await server.bucket('default', { objectLock: true })
    const Rule = { DefaultRetention: { Mode: 'GOVERNANCE', Days: 3 } } as const
    await client.send(new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule } }))
    expect((await client.send(new GetObjectLockConfigurationCommand({ Bucket }))).ObjectLockConfiguration?.Rule).toEqual(Rule)
    const says = 'the bucket itself locks every object for 3 days, the documents of leases too'
    expect((await open(recipe({ bucket: Bucket })).facts(doing())).lock).toEqual({ mode: 'governance', asked: false, says })
    const cell = open(recipe({ bucket: Bucket })).cell('lease')
    await cell.write('two', (await cell.write('one', '')).version)
    expect((await cell.read()).body).toBe('two')
  })

  test('Amazon’s refusal is understood as MinIO’s, and a key that may not ask about locks is told', async () => {
    const way = await forwarder(server.endpoint, ({ method, url }) =>
      method === 'DELETE' || url?.includes('object-lock') ? refusing(403, 'AccessDenied') : 'pass',
    )
    const store = open(recipe({ lock: month, endpoint: way.endpoint }))
    await store.put('object', said('x'), doing())
    expect((await refusal(store.remove('object'))).message).toMatch(/is locked until .* \(compliance\)/)
    const { lock } = await store.facts(doing())
    expect(lock).toMatchObject({ mode: 'none', mend: 'allow s3:GetBucketObjectLockConfiguration on arn:aws:s3:::locked' })
    await way.stop()
  })
})
