import { afterAll, beforeAll } from 'vitest'
import { describeWith, type Minio, minio, type Postgres, postgres, type Redis, redis } from '../testbed/index.ts'
import { addressed, DAMAGE, damageRedis, fillRedis, lookRedis, lookSql, TABLES } from './data.ts'
import { newSite, type Site } from './site.ts'
import { story } from './story.ts'

const DATABASE = 'veza'

describeWith(
  ['postgres', 'redis', 's3', 'zstd'],
  'veza: PostgreSQL and Redis by addresses instead of pods, on S3 (MinIO), in its unprotected environment',
  () => {
    let database: Postgres
    let cache: Redis
    let store: Minio
    let site: Site

    beforeAll(async () => {
      ;[database, cache, store] = await Promise.all([postgres(), redis(), minio()])
      site = newSite({
        stack: 'veza',
        environment: 'staging',
        replace: { 's3({': `s3({ endpoint: '${store.endpoint}', forcePathStyle: true,`, "in: 'postgres', ": '', "in: 'redis', ": '' },
        settings: {
          DATABASE_URL: example => addressed(example, database),
          DB_NAME: DATABASE,
          REDIS_URL: example => addressed(example, cache),
          S3_BUCKET: await store.bucket('veza'),
          AWS_REGION: store.region,
          AWS_ACCESS_KEY_ID: store.accessKey,
          AWS_SECRET_ACCESS_KEY: store.secretKey,
        },
      })
      database.sql('postgres', `CREATE DATABASE ${DATABASE}`)
      database.sql(DATABASE, TABLES)
      fillRedis(cache.command)
    })
    afterAll(async () => {
      site?.end()
      await Promise.all([database?.stop(), cache?.stop(), store?.stop()])
    })

    const played = () => ({
      site,
      look: async () => ({ database: lookSql(database.sql, DATABASE), cache: lookRedis(cache.command) }),
      async damage() {
        database.sql(DATABASE, DAMAGE)
        damageRedis(cache.command)
      },
    })
    story(played, { protected: false })
  },
)
