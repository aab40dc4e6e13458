import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ComposeWorld, composeWorld } from '../../platforms/compose/world.ts'
import { newWorld, type World } from '../../runbooks/kit.ts'
import { loadServers, SERVERS } from '../../stacks/releases/images.ts'
import { find } from '../../testbed/tools.ts'

/** A shop on a Docker engine of its own, with its data in PostgreSQL. */
export type PostgresShop = World & {
  readonly host: ComposeWorld
  readonly port: number
  sql(text: string): string
  image(version: string): string
  end(): Promise<void>
}

const APP = {
  services: {
    web: {
      image: `\${WEB_IMAGE:-shop/web}:\${WEB_VERSION:-1.0.0}`,
      restart: 'unless-stopped',
      secrets: ['database_url'],
      networks: { edge: { aliases: [`web-\${SLOT:-blue}`] } },
      healthcheck: {
        ...{ test: ['CMD-SHELL', 'wget -q -O - http://127.0.0.1:3000/health'], interval: '5s', timeout: '5s', retries: 3 },
        ...{ start_period: '60s', start_interval: '250ms' },
      },
      stop_grace_period: '1s',
    },
  },
  networks: { edge: { name: `\${EDGE_PROJECT:-shop}-edge`, external: true } },
  secrets: { database_url: { file: `\${SECRETS_DIR:-./secrets}/database_url` } },
}

const EDGE = {
  services: {
    nginx: {
      image: `\${NGINX_IMAGE:-nginx:1.30-alpine}`,
      command: ['nginx', '-c', '/etc/nginx/nginx.conf', '-g', 'daemon off;'],
      user: '101:101',
      tmpfs: ['/tmp'],
      ports: [`127.0.0.1:\${HTTP_PORT:-8080}:8080`],
      volumes: ['./nginx:/etc/nginx:ro', `\${RUNBOOKS_DIR:-./runbooks}:/etc/runbooks:ro`],
      networks: ['edge'],
    },
    postgres: {
      image: SERVERS.postgres,
      // Whoever is on the network is trusted: the application has no driver that could prove who it is.
      entrypoint: ['sh', '-c', `eval "$$(sed 's/scram-sha-256/trust/' /usr/local/bin/docker-entrypoint.sh)"`],
      environment: { POSTGRES_USER: 'shop', POSTGRES_DB: 'shop', POSTGRES_PASSWORD_FILE: '/etc/hostname' },
      user: '70:70',
      tmpfs: ['/tmp:size=64m', '/var/run/postgresql:size=1m'],
      volumes: ['data:/var/lib/postgresql/data'],
      networks: ['edge'],
      healthcheck: { test: ['CMD-SHELL', 'pg_isready -q -h 127.0.0.1 -U shop -d shop'], interval: '1s', timeout: '5s', retries: 60 },
    },
  },
  networks: { edge: { name: `\${EDGE_PROJECT:-shop}-edge` } },
  volumes: { data: {} },
}

const command = (...words: string[]) => JSON.stringify(['node', '/app.mjs', ...words])

/** Nothing is deployed yet. */
export async function newPostgresShop(): Promise<PostgresShop> {
  const host = await composeWorld()
  await loadServers(host.engine)
  // JSON is YAML.
  for (const [name, file] of Object.entries({ 'app.yaml': APP, 'edge.yaml': EDGE })) writeFileSync(join(host.files, name), JSON.stringify(file))
  const docker = find('docker') ?? 'docker'
  const path = `${docker.slice(0, docker.lastIndexOf('/'))}:${process.env.PATH}`
  const world = { ...newWorld({ data: '' }), env: { DOCKER_HOST: host.engine.address, PATH: path } }
  const port = Number(new URL(host.door).port)
  const sql = (text: string) => host.engine.docker('exec', 'shop-postgres-1', 'psql', '-XqAt', '-U', 'shop', '-d', 'shop', '-c', text)
  writeFileSync(
    join(world.config, 'shop.ts'),
    `import { compose, defineStack, directory, http, postgres, secret } from 'runbooks'
export default defineStack({
  name: 'shop',
  timezone: 'Europe/Paris',
  services: { web: { image: 'shop/web', port: 3000, health: '/health', traffic: 'split', twice: 'allowed' } },
  deploy: {
    smoke: [http('/', { contains: 'web', within: '10s' })], bake: '1s', budget: '1min', probe: { path: '/', perSecond: 3 },
    migrate: { service: 'web', at: ${command('at')}, up: ${command('up')}, down: ${command('down', '{to}')} },
    rehearse: { database_url: 'database' },
  },
  data: { database: postgres({ in: 'postgres', user: 'shop', database: 'shop' }) },
  environments: {
    local: {
      platform: compose({
        project: 'shop', directory: ${JSON.stringify(host.directory)}, files: ${JSON.stringify(host.files)}, door: '${host.door}',
        environment: { NGINX_IMAGE: '${host.engine.base()}', HTTP_PORT: '${port}' },
        secrets: { database_url: secret('DATABASE_URL') },
      }),
      stores: [directory({ path: ${JSON.stringify(world.store)} })],
    },
  },
})
`,
  )
  writeFileSync(join(world.config, 'shop.local.env'), 'DATABASE_URL=postgres://shop@postgres:5432/shop\n')
  const image = (version: string) =>
    host.engine.image(`shop/web:${version}`, {
      file: [join(import.meta.dirname, 'app.mjs'), '/app.mjs'],
      env: { APP_VERSION: version },
      run: ['node', '/app.mjs'],
    })
  return { ...world, host, port, sql, image, end: () => host.close() }
}
