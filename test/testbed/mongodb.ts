import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type MongoKind, mongoImage, mongoKind } from './availability.ts'
import { type Launch, launch, type Server } from './server.ts'
import { find } from './tools.ts'

/** A started MongoDB, or its stand-in. */
export type Mongo = Server & {
  /** `mongodb://127.0.0.1:<port>`, never with credentials. */
  readonly uri: string
  /** True for FerretDB, which lacks much of what mongod can do. */
  readonly standIn: boolean
  readonly user?: string
  readonly password?: string
}

type Auth = { readonly user: string; readonly password: string }
type Wanted = { readonly auth?: Auth; readonly port?: number; readonly stays?: boolean }

/** Starts MongoDB on a port and folder of its own; with `auth`, only that user (root) is let in. */
export async function mongodb(wanted: Wanted = {}): Promise<Mongo> {
  const kind = mongoKind()
  const { auth } = wanted
  const container = `testbed-mongodb-${randomBytes(6).toString('hex')}`
  const server = await launch({
    name: 'mongodb',
    port: wanted.port,
    stays: wanted.stays,
    command: (port, folder) => commands[kind](port, folder, auth, container),
    ready: port => ping(port, kind === 'mongod' ? undefined : auth),
    ...(kind === 'docker' && { killCommand: ['docker', 'kill', container] as const, startupMs: 60_000 }),
  })
  try {
    if (kind === 'mongod' && auth) await createRoot(server.port, auth)
  } catch (error) {
    await server.stop()
    throw error
  }
  return { ...server, uri: `mongodb://127.0.0.1:${server.port}`, standIn: kind === 'ferretdb', ...auth }
}

type Commands = (port: number, folder: string, auth: Auth | undefined, container: string) => ReturnType<Launch['command']>

const commands: Record<MongoKind, Commands> = {
  mongod(port, folder, auth) {
    const data = made(folder, 'data')
    const argv = ['--dbpath', data, '--bind_ip', '127.0.0.1', '--port', String(port), '--unixSocketPrefix', folder, ...(auth ? ['--auth'] : [])]
    return { file: found('mongod'), argv }
  },
  docker(port, folder, auth, container) {
    const secrets = auth && { MONGO_INITDB_ROOT_USERNAME: auth.user, MONGO_INITDB_ROOT_PASSWORD: auth.password }
    // `--env NAME` without a value passes it on from docker's own environment, so that it is not in the process list.
    const names = Object.keys(secrets ?? {}).flatMap(name => ['--env', name])
    // Its data lie in the server's folder, owned by us: they outlive a kill and can be removed.
    const place = ['--user', `${process.getuid?.()}:${process.getgid?.()}`, '--volume', `${made(folder, 'data')}:/data/db`]
    const argv = ['run', '--rm', '--name', container, '--publish', `127.0.0.1:${port}:27017`, ...place, ...names, mongoImage]
    return { file: found('docker'), argv, ...(secrets && { env: secrets }) }
  },
  ferretdb(port, folder, auth) {
    const argv = [
      '--handler=sqlite',
      `--sqlite-url=file:${made(folder, 'data')}/`,
      `--state-dir=${made(folder, 'state')}`,
      `--listen-addr=127.0.0.1:${port}`,
      '--debug-addr=-',
      '--telemetry=disable',
      '--repl-set-name=rs0',
    ]
    if (!auth) return { file: found('ferretdb'), argv }
    // As variables, which other users of the machine cannot read, unlike arguments.
    const env = {
      FERRETDB_TEST_ENABLE_NEW_AUTH: 'true',
      FERRETDB_SETUP_DATABASE: 'admin',
      FERRETDB_SETUP_USERNAME: auth.user,
      FERRETDB_SETUP_PASSWORD: auth.password,
    }
    return { file: found('ferretdb'), argv, env }
  },
}

function found(tool: string): string {
  const file = find(tool)
  if (file === undefined) throw new Error(`${tool} is missing; to install it: npm run testbed -- install mongodb`)
  return file
}

function made(folder: string, name: string): string {
  const path = join(folder, name)
  mkdirSync(path, { recursive: true })
  return path
}

async function connected<T>(port: number, auth: Auth | undefined, work: (admin: import('mongodb').Db) => Promise<T>): Promise<T> {
  const { MongoClient } = await import('mongodb')
  const credentials = auth && { auth: { username: auth.user, password: auth.password }, authSource: 'admin' }
  const client = new MongoClient(`mongodb://127.0.0.1:${port}`, { ...credentials, serverSelectionTimeoutMS: 1_000, directConnection: true })
  try {
    return await work(client.db('admin'))
  } finally {
    await client.close()
  }
}

const ping = (port: number, auth: Auth | undefined): Promise<unknown> => connected(port, auth, admin => admin.command({ ping: 1 }))

/** mongod lets a local client make the first user without credentials, and no more after that. */
const createRoot = (port: number, auth: Auth): Promise<unknown> =>
  connected(port, undefined, admin => admin.command({ createUser: auth.user, pwd: auth.password, roles: ['root'] }))
