import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from '../../runbooks/kit.ts'
import { type DockerHost, dockerHost } from '../../testbed/docker-host.ts'
import { type Minio, minio } from '../../testbed/index.ts'
import { freePort } from '../../testbed/ports.ts'
import { type Registry, registry } from '../../testbed/registry.ts'
import type { Cli, Sql } from '../data.ts'
import { newSite, type Site } from '../site.ts'
import { loadServers, pushApp, SERVERS } from './images.ts'

/** The stack of ecosyste on a host of its own: its stack file, its assets, and servers for all that it needs. */
export type Ecosyste = {
  readonly site: Site
  readonly engine: DockerHost
  readonly images: Registry
  readonly port: number
  /** Work in the databases without the toolkit. */
  readonly sql: Sql
  readonly cli: Cli
  end(): Promise<void>
}

const PASSWORD = 'p w"\\%41'

/** Starts everything around the host, and puts versions of both services into the registry. */
export async function ecosyste(versions: readonly string[]): Promise<Ecosyste> {
  const [engine, images, store, port] = await Promise.all([dockerHost(), registry({ asks: true }), minio(), freePort()])
  await loadServers(engine)
  for (const service of ['backend', 'frontend']) pushApp(engine, images, `ecosyste/${service}`, service, versions)
  const directory = mkdtempSync(join(tmpdir(), 'srv-ecosyste-'))
  const site = newSite({
    stack: 'ecosyste',
    environment: 'production',
    replace: {
      "image: 'ecosyste/": `image: '${images.name}/ecosyste/`,
      'registry: {': `registry: { server: '${images.name}',`,
      'compose/ecosyste': join(ROOT, 'compose/ecosyste'),
      '/srv/ecosyste': directory,
      'http://127.0.0.1:80': `http://127.0.0.1:${port}`,
      // The images of a machine without a registry of the world, on an address that an engine without packet filters can publish.
      'environment: {': `environment: { HTTP_BIND: '127.0.0.1', HTTP_PORT: '${port}', NGINX_IMAGE: '${engine.base()}',
        POSTGRES_IMAGE: '${SERVERS.postgres}', REDIS_IMAGE: '${SERVERS.redis}',`,
      // The recorder asks too seldom to judge how slow answers are: on a machine that does other things besides, that is chance.
      "bake: '1min'": "bake: '3s', probe: { path: '/health', perSecond: 3 }",
      's3({': `s3({ endpoint: '${store.endpoint}', forcePathStyle: true,`,
    },
    settings: await settings(images, store),
    env: { DOCKER_HOST: engine.address },
  })
  const exec = (...argv: string[]) => engine.docker('exec', ...argv)
  return {
    site,
    engine,
    images,
    port,
    sql: (database, text) =>
      exec(
        'ecosyste-postgres-1',
        'psql',
        '-XqAt',
        '-v',
        'ON_ERROR_STOP=1',
        '-h',
        '/var/run/postgresql',
        '-U',
        'ecosyste',
        '-d',
        database,
        '-c',
        text,
      ),
    cli: (...words) => exec('ecosyste-redis-1', 'redis-cli', '-e', ...words),
    async end() {
      site.end()
      await Promise.all([engine.stop(), images.stop(), store.stop()])
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function settings(images: Registry, store: Minio): Promise<Record<string, string>> {
  return {
    DB_USER: 'ecosyste',
    DB_PASSWORD: `'${PASSWORD}'`,
    DB_NAME: 'ecosyste',
    DATABASE_URL: `postgres://ecosyste:${encodeURIComponent(PASSWORD)}@postgres:5432/ecosyste`,
    REDIS_URL: 'redis://redis:6379',
    JWT_SECRET: `'k#e y"$HOME'`,
    DOCKERHUB_USERNAME: images.user,
    DOCKERHUB_TOKEN: images.password,
    S3_BUCKET: await store.bucket('ecosyste-backups'),
    AWS_REGION: store.region,
    AWS_ACCESS_KEY_ID: store.accessKey,
    AWS_SECRET_ACCESS_KEY: store.secretKey,
  }
}
