import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Recorder, recorder } from '../notify/recorder.ts'
import { describeWith, type Minio, type Mongo, minio, mongodb } from '../testbed/index.ts'
import { AUTH, addressed, damageMongo, fillMongo, lookMongo, replicaSet, standIn } from './data.ts'
import { newSite, type Site } from './site.ts'
import { story } from './story.ts'

const DATABASE = 'checkin'
const COLLECTIONS = ['guests', 'events'] as const

describeWith(['mongodb', 'mongodb-tools', 's3', 'zstd'], `check-in: ${standIn()} on S3 (MinIO)`, () => {
  let mongo: Mongo
  let store: Minio
  let hooks: Recorder
  let site: Site

  beforeAll(async () => {
    ;[mongo, store, hooks] = await Promise.all([mongodb({ auth: AUTH }), minio(), recorder()])
    const member = await replicaSet(mongo)
    site = newSite({
      stack: 'check-in',
      environment: 'production',
      replace: { 's3({': `s3({ endpoint: '${store.endpoint}', forcePathStyle: true,`, "in: 'mongodb', ": '' },
      settings: {
        // The testbed's mongod is no member of a replica set.
        MONGODB_URI: example => addressed(member ? example : example.replace('replicaSet=rs0&', ''), mongo),
        S3_BUCKET: await store.bucket('checkin-backups'),
        AWS_REGION: store.region,
        AWS_ACCESS_KEY_ID: store.accessKey,
        AWS_SECRET_ACCESS_KEY: store.secretKey,
        SLACK_WEBHOOK_URL: `${hooks.url}/slack`,
        BACKUP_PING_URL: `${hooks.url}/ping`,
      },
    })
    await fillMongo(mongo, DATABASE, COLLECTIONS)
  })
  afterAll(async () => {
    site?.end()
    await Promise.all([mongo?.stop(), store?.stop(), hooks?.end()])
  })

  const played = () => ({
    site,
    look: async () => ({ database: await lookMongo(mongo, DATABASE) }),
    damage: () => damageMongo(mongo, DATABASE, COLLECTIONS),
  })
  story(played, { protected: true, restore: ['--writers-stopped=STOPPED'] })

  test('Slack has heard of each run but the list, and the dead man’s switch of the backup alone', () => {
    const paths = hooks.requests.map(({ path }) => path)
    expect(paths.filter(path => path.startsWith('/ping'))).toEqual(['/ping/start', '/ping'])
    const told = hooks.requests.flatMap(({ path, body }) =>
      path === '/slack' ? [/DONE|CERTIFIED|USAGE|RESTORED|TAKEN BACK/.exec(body)?.[0] ?? body] : [],
    )
    expect(told).toEqual(['DONE', 'CERTIFIED', 'USAGE', 'RESTORED', 'TAKEN BACK'])
  })
})
