import { afterAll, beforeAll } from 'vitest'
import { describeWith, type Minio, type Mongo, minio, mongodb } from '../testbed/index.ts'
import { AUTH, addressed, damageMongo, fillMongo, lookMongo, newUser, standIn } from './data.ts'
import { newSite, type Site } from './site.ts'
import { story } from './story.ts'

const DATABASE = 'benevoclic'
const COLLECTIONS = ['missions', 'volunteers'] as const
/** A user that is kept in the database itself, as the address without authSource says. */
const USER = { user: 'benevole', password: 'p %41"/@' }

describeWith(['mongodb', 'mongodb-tools', 's3', 'zstd'], `benevoclic: ${standIn()} on S3 (MinIO), notifications not set up`, () => {
  let mongo: Mongo
  let store: Minio
  let site: Site

  beforeAll(async () => {
    ;[mongo, store] = await Promise.all([mongodb({ auth: AUTH }), minio()])
    await newUser(mongo, DATABASE, USER)
    site = newSite({
      stack: 'benevoclic',
      environment: 'production',
      replace: { 's3({': `s3({ endpoint: '${store.endpoint}', forcePathStyle: true,` },
      settings: {
        MONGODB_URL: example => addressed(example, { port: mongo.port, ...USER }),
        AWS_BUCKET_NAME: await store.bucket('benevoclic'),
        AWS_REGION: store.region,
        AWS_ACCESS_KEY_ID: store.accessKey,
        AWS_SECRET_ACCESS_KEY: store.secretKey,
      },
    })
    await fillMongo(mongo, DATABASE, COLLECTIONS)
  })
  afterAll(async () => {
    site?.end()
    await Promise.all([mongo?.stop(), store?.stop()])
  })

  const played = () => ({
    site,
    look: async () => ({ database: await lookMongo(mongo, DATABASE) }),
    damage: () => damageMongo(mongo, DATABASE, COLLECTIONS),
  })
  story(played, { protected: true, restore: ['--writers-stopped=STOPPED'] })
})
