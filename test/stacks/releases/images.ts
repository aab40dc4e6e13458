import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DockerHost } from '../../testbed/docker-host.ts'
import { archive, filesLayer, postgresImage, redisImage } from '../../testbed/images.ts'
import type { Registry } from '../../testbed/registry.ts'

const APP = join(import.meta.dirname, 'app.mjs')

/** Names of the images that play PostgreSQL and Redis. */
export const SERVERS = { postgres: 'testbed.local/postgres:15', redis: 'testbed.local/redis:7' } as const

/** As far as edge.yaml needs, what the official image's entrypoint does: the password from a file, for whoever comes by TCP. */
const POSTGRES_ENTRYPOINT = `#!/bin/sh
set -e
data=\${PGDATA:-/var/lib/postgresql/data}
if [ ! -s "$data/PG_VERSION" ]; then
  initdb -D "$data" -U "$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --encoding=UTF8 --locale=C --auth-local=trust $POSTGRES_INITDB_ARGS >/dev/null
  echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
  echo "create database \\"$POSTGRES_DB\\"" | postgres --single -D "$data" postgres >/dev/null
fi
exec postgres -D "$data" -c listen_addresses='*'
`

/** A layer with one empty folder that belongs to somebody: a new volume takes its owner from there. */
function folderLayer(out: string, path: string, owner: number, group: number): string {
  const root = mkdtempSync(join(tmpdir(), 'testbed-layer-'))
  mkdirSync(join(root, path), { recursive: true })
  execFileSync('tar', [`--owner=${owner}`, `--group=${group}`, '--mtime=@0', '-C', root, '-cf', out, path])
  rmSync(root, { recursive: true })
  return out
}

/** PostgreSQL and Redis of this machine as images that edge.yaml of ecosyste takes for the official ones. */
export async function loadServers(engine: DockerHost): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'servers-'))
  const [postgres, redis] = [postgresImage(scratch), redisImage(scratch)]
  const entrypoint = filesLayer(join(scratch, 'entrypoint.tar'), { 'usr/local/bin/docker-entrypoint.sh': POSTGRES_ENTRYPOINT })
  const images = [
    { ...postgres, layers: [...postgres.layers, entrypoint, folderLayer(join(scratch, 'pgdata.tar'), 'var/lib/postgresql/data', 70, 70)] },
    { ...redis, layers: [...redis.layers, folderLayer(join(scratch, 'data.tar'), 'data', 999, 1000)], entrypoint: [] },
  ]
  const file = join(scratch, 'images.tar')
  await archive(images, file)
  engine.docker('load', '--quiet', '--input', file)
  rmSync(scratch, { recursive: true })
}

/** Makes versions of an application, pushes them to a registry that asks who one is, and forgets them here; what is deployed is pulled. */
export function pushApp(engine: DockerHost, images: Registry, repository: string, service: string, versions: readonly string[]): void {
  const config = mkdtempSync(join(tmpdir(), 'pusher-'))
  try {
    const env = { ...process.env, DOCKER_HOST: engine.address }
    const login = ['--config', config, 'login', '--username', images.user, '--password-stdin', images.name]
    execFileSync('docker', login, { input: images.password, env, stdio: ['pipe', 'ignore', 'pipe'] })
    for (const version of versions) {
      const name = `${images.name}/${repository}:${version}`
      engine.image(name, { file: [APP, '/app.mjs'], env: { APP_VERSION: version, SERVICE: service }, run: ['node', '/app.mjs'] })
      engine.docker('--config', config, 'push', '--quiet', name)
      engine.docker('rmi', name)
    }
  } finally {
    rmSync(config, { recursive: true, force: true })
  }
}
