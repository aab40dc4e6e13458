import { afterAll, beforeAll, vi } from 'vitest'
import { available, type Docker, describeWith, docker, type Minio, minio, type Postgres, postgres, type Redis, redis } from '../testbed/index.ts'
import { type Cli, DAMAGE, damageRedis, fillRedis, lookRedis, lookSql, type Sql, TABLES } from './data.ts'
import { services } from './services.ts'
import { newSite, type Site } from './site.ts'
import { story } from './story.ts'

// Two hundred commands enter a service, each through docker.
vi.setConfig({ testTimeout: 120_000 })

const DATABASE = 'ecosyste'
const USER = 'ecosyste'
const PASSWORD = 'p w"\\%41'

/** What the platform is not set up without; nothing is deployed here. */
const PLATFORM = {
  DATABASE_URL: 'postgres://unused',
  REDIS_URL: 'redis://unused',
  JWT_SECRET: 'unused secret',
  DOCKERHUB_USERNAME: 'unused',
  DOCKERHUB_TOKEN: 'unused token',
}

/** The stack in production, with its data reached as `replace` says. */
async function siteOn(
  store: Minio,
  replace: Record<string, string>,
  settings: Record<string, string> = {},
  env: Record<string, string> = {},
): Promise<Site> {
  return newSite({
    stack: 'ecosyste',
    environment: 'production',
    replace: { 's3({': `s3({ endpoint: '${store.endpoint}', forcePathStyle: true,`, ...replace },
    settings: {
      DB_USER: USER,
      DB_PASSWORD: PASSWORD,
      DB_NAME: DATABASE,
      S3_BUCKET: await store.bucket('ecosyste-backups'),
      AWS_REGION: store.region,
      AWS_ACCESS_KEY_ID: store.accessKey,
      AWS_SECRET_ACCESS_KEY: store.secretKey,
      ...settings,
    },
    env,
  })
}

function fill(sql: Sql, cli: Cli): void {
  sql('postgres', `CREATE DATABASE ${DATABASE} OWNER ${USER}`)
  sql(DATABASE, TABLES)
  fillRedis(cli)
}

const playing = (site: Site, sql: Sql, cli: Cli) => ({
  site,
  look: async () => ({ database: lookSql(sql, DATABASE), cache: lookRedis(cli) }),
  async damage() {
    sql(DATABASE, DAMAGE)
    damageRedis(cli)
  },
})

describeWith(['docker', 'postgres', 'redis', 's3', 'zstd'], 'ecosyste: PostgreSQL and Redis inside Compose services, on S3 (MinIO)', () => {
  let engine: Docker
  let store: Minio
  let inside: Awaited<ReturnType<typeof services>>
  let site: Site

  beforeAll(async () => {
    ;[engine, store] = await Promise.all([docker(), minio()])
    inside = await services(engine, USER, PASSWORD)
    site = await siteOn(store, { '/srv/ecosyste': inside.directory }, PLATFORM, { DOCKER_HOST: engine.address })
    fill(inside.sql, inside.cli)
  })
  afterAll(async () => {
    site?.end()
    await Promise.all([engine?.stop(), store?.stop()])
  })

  story(() => playing(site, inside.sql, inside.cli), { protected: true })
})

/** Only where there is no Docker: the services are what the stack file means. */
const atAddresses = () =>
  describeWith(['postgres', 'redis', 's3', 'zstd'], 'ecosyste: PostgreSQL and Redis by addresses instead of services, on S3 (MinIO)', () => {
    let database: Postgres
    let cache: Redis
    let store: Minio
    let site: Site

    beforeAll(async () => {
      ;[database, cache, store] = await Promise.all([postgres(), redis({ settings: { requirepass: '' } }), minio()])
      database.sql('postgres', `CREATE ROLE ${USER} SUPERUSER LOGIN PASSWORD '${PASSWORD}'`)
      site = await siteOn(store, {
        "in: 'postgres'": `host: '127.0.0.1', port: ${database.port}`,
        "in: 'redis'": `host: '127.0.0.1', port: ${cache.port}`,
      })
      fill(database.sql, cache.command)
    })
    afterAll(async () => {
      site?.end()
      await Promise.all([database?.stop(), cache?.stop(), store?.stop()])
    })

    story(() => playing(site, database.sql, cache.command), { protected: true })
  })

if (available('docker') !== true) atAddresses()
