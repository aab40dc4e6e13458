import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { postgresRoot, programsRoot } from './rootfs.ts'
import { cache, find } from './tools.ts'

/** An image: files in layers, lowest first (tar archives), and what is run. */
export type Image = {
  readonly name: string
  readonly layers: readonly string[]
  readonly entrypoint: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly stopSignal?: string
}

/** Names of BusyBox in /bin: what probes and hooks of the manifests call. */
const BUSYBOX = ['sh', 'cat', 'grep', 'sleep', 'mkdir', 'rm', 'ls', 'touch', 'tar', 'env', 'wget', 'head', 'sha256sum', 'dd']

/** SHA-256 of a file, in hexadecimal. */
export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

/** Writes a docker-archive (what `docker save` makes) that holds these images; layers that they share are in it once. */
export async function archive(images: readonly Image[], out: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'testbed-images-'))
  try {
    const digests = new Map<string, string>()
    for (const layer of new Set(images.flatMap(({ layers }) => layers))) {
      const digest = await sha256(layer)
      digests.set(layer, digest)
      if (!existsSync(join(folder, `${digest}.tar`))) symlinkSync(layer, join(folder, `${digest}.tar`))
    }
    const manifest = images.map(image => {
      const diffs = image.layers.map(layer => digests.get(layer)!)
      const config = JSON.stringify({
        architecture: process.arch === 'x64' ? 'amd64' : process.arch,
        os: 'linux',
        created: '2026-01-01T00:00:00Z',
        config: {
          Env: Object.entries(image.env).map(([name, value]) => `${name}=${value}`),
          Entrypoint: image.entrypoint,
          ...(image.stopSignal ? { StopSignal: image.stopSignal } : {}),
        },
        rootfs: { type: 'layers', diff_ids: diffs.map(digest => `sha256:${digest}`) },
        history: diffs.map(() => ({ created: '2026-01-01T00:00:00Z', created_by: 'testbed' })),
      })
      const id = createHash('sha256').update(config).digest('hex')
      writeFileSync(join(folder, `${id}.json`), config)
      return { Config: `${id}.json`, RepoTags: [image.name], Layers: diffs.map(digest => `${digest}.tar`) }
    })
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest))
    execFileSync('tar', ['--dereference', '-C', folder, '-cf', out, '.'])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A layer of this machine's programs, made once for these versions of them at these places and kept; BusyBox gives the shell. */
function programsLayer(name: string, programs: readonly string[]): string {
  const busybox = find('busybox')
  if (busybox === undefined) throw new Error('busybox is missing: apt-get install busybox-static')
  const versions = createHash('sha256')
  // They stand in the image where they stand here: another clone has its own Node.
  for (const program of programs) versions.update(find(program) ?? program).update(readFileSync(find(program) ?? program))
  const kept = join(cache(), `layer-${name}-${versions.update(BUSYBOX.join()).digest('hex').slice(0, 12)}.tar`)
  if (existsSync(kept)) return kept
  const made = programsRoot([busybox, ...programs], Object.fromEntries(BUSYBOX.map(each => [each, busybox])))
  mkdirSync(cache(), { recursive: true })
  copyFileSync(made, `${kept}.${process.pid}`)
  renameSync(`${kept}.${process.pid}`, kept)
  rmSync(made)
  return kept
}

/** A layer of single files: texts by their path in the image, all of them readable and executable by everybody. */
export function filesLayer(out: string, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'testbed-layer-'))
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(root, dirname(path)), { recursive: true })
      writeFileSync(join(root, path), text, { mode: 0o755 })
    }
    // The mode of the image's root, which nobody but root could enter otherwise.
    chmodSync(root, 0o755)
    // The same files make the same bytes, so an image that is there already is recognised.
    execFileSync('tar', ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '-C', root, '-cf', out, '.'])
    return out
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

const PATH = '/usr/local/bin:/usr/sbin:/usr/bin:/bin'
const USERS = 'root:x:0:0::/:/bin/sh\npostgres:x:70:70::/:/bin/sh\nredis:x:999:1000::/:/bin/sh\nnode:x:1000:1000::/:/bin/sh\n'

/** The stand-in of an application (`check-in/backend`) in these versions; the end of a version says how it misbehaves. */
export function appImages(service: string, versions: readonly string[], scratch: string): Image[] {
  const base = programsLayer('node', [process.execPath])
  const script = readFileSync(join(import.meta.dirname, 'stand-in-app.ts'), 'utf8')
  const app = filesLayer(join(scratch, 'app.tar'), { 'app/app.ts': script, 'app/package.json': '{"type":"module"}', 'etc/passwd': USERS })
  return versions.map(version => ({
    name: `testbed.local/${service}:${version}`,
    layers: [base, app],
    entrypoint: [process.execPath, '/app/app.ts'],
    env: { PATH, STAND_IN_SERVICE: service, STAND_IN_VERSION: version },
  }))
}

const POSTGRES_ENTRYPOINT = `#!/bin/sh
# As far as the manifests need, what the official image's entrypoint does.
set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf %s "$POSTGRES_PASSWORD" > /tmp/password
  initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile=/tmp/password --encoding=UTF8 --locale=C --auth=trust > /dev/null
  rm /tmp/password
  echo "create database \\"$POSTGRES_DB\\"" | postgres --single -D "$PGDATA" postgres > /dev/null
fi
exec "$@"
`

/** PostgreSQL of this machine, started as the official image starts it. */
export function postgresImage(scratch: string): Image {
  const { tarball, bin } = postgresRoot()
  const extra = filesLayer(join(scratch, 'postgres.tar'), { 'etc/passwd': USERS, 'usr/local/bin/docker-entrypoint.sh': POSTGRES_ENTRYPOINT })
  return {
    name: 'testbed.local/postgres:15',
    layers: [tarball, programsLayer('postgres', [join(bin, 'pg_isready')]), extra],
    entrypoint: ['docker-entrypoint.sh'],
    env: { PATH: `${bin}:${PATH}` },
    stopSignal: 'SIGINT',
  }
}

/** Redis of this machine. */
export function redisImage(scratch: string): Image {
  const extra = filesLayer(join(scratch, 'redis.tar'), { 'etc/passwd': USERS })
  return {
    name: 'testbed.local/redis:7',
    layers: [programsLayer('redis', ['redis-server', 'redis-cli']), extra],
    entrypoint: ['redis-server'],
    env: { PATH },
  }
}

/** FerretDB, which stands in for mongod and can do less, with MongoDB's tools, and bash as the official image has it. */
export function mongodbImage(scratch: string): Image {
  const missing = ['ferretdb', 'mongodump', 'mongorestore'].filter(tool => find(tool) === undefined)
  if (missing.length > 0) throw new Error(`${missing.join(', ')} missing; to install: npm run testbed -- install mongodb mongodb-tools`)
  const extra = filesLayer(join(scratch, 'mongodb.tar'), { 'etc/passwd': `${USERS}mongodb:x:998:999::/:/bin/sh\n` })
  const tools = ['mongodump', 'mongorestore'].map(tool => find(tool)!)
  return {
    name: 'testbed.local/ferretdb:1',
    layers: [programsLayer('mongodb', [find('ferretdb')!, ...tools, 'bash']), extra],
    entrypoint: [find('ferretdb')!],
    env: { PATH: `${dirname(find('ferretdb')!)}:${PATH}`, HOME: '/tmp' },
  }
}
