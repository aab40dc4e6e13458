import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { mustRun, prints, run as runs } from '../../exec/process.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Action, Doing } from '../../plan/plan.ts'
import { failedAt } from '../places.ts'
import type { Content, Load } from '../source.ts'
import type { Server } from './address.ts'
import { cli } from './cli.ts'
import { RdbReader } from './rdb/reader.ts'
import type { Site } from './site.ts'
import { examine } from './snapshot.ts'

/** Folder of the throw-away servers of this user; short, because the path of a socket may have 107 bytes. */
const drills = () => join(tmpdir(), `runbooks-redis-${userInfo().uid}`)

const prefixOf = (site: Site) => `${createHash('sha256').update(`${site.name} ${site.where}`).digest('hex').slice(0, 8)}__drill_`
const folderOf = (site: Site, run: string) => join(drills(), prefixOf(site) + run)
const LONGEST_SOCKET = 107

const drillServer = (site: Site, folder: string): Server => ({
  ...{ setting: 'the scratch server', host: '', port: 0, tls: false, user: undefined, password: undefined, within: undefined, bin: site.bin },
  socket: join(folder, 's'),
})

/**
 * The server of a drill: on a socket that only this user can open, without any file of its own. It is a replica of nobody, because a
 * primary would leave out keys that have expired since the backup, and the copy could never be compared with the manifest.
 */
function serverCommand(site: Site, folder: string) {
  const settings = {
    port: '0',
    unixsocket: join(folder, 's'),
    unixsocketperm: '700',
    dir: folder,
    dbfilename: 'dump.rdb',
    appendonly: 'no',
    save: '',
    databases: '10000',
    replicaof: '127.0.0.1 1',
    logfile: join(folder, 'log'),
    daemonize: 'yes',
  }
  const argv = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, ...(name === 'replicaof' ? value.split(' ') : [value])])
  return { file: site.bin === undefined ? 'redis-server' : join(site.bin, 'redis-server'), argv }
}

/** Loads a dump as Redis itself does, from its file, in a server that is thrown away. */
export function loadDrill(site: Site, run: string): Load {
  const folder = folderOf(site, run)
  const server = serverCommand(site, folder)
  return {
    prints: `cat > ${folder}/dump.rdb && ${prints(server)}`,
    async take(bytes, doing) {
      if (Buffer.byteLength(join(folder, 's')) > LONGEST_SOCKET)
        throw new Trouble(3, `${folder} is too long for a socket`, { next: ['set TMPDIR to a short path'] })
      await mkdir(drills(), { recursive: true, mode: 0o700 })
      await mkdir(folder, { mode: 0o700 }).catch(failedAt(folder))
      const file = join(folder, 'dump.rdb')
      await pipeline(checked(bytes), createWriteStream(file, { mode: 0o600 })).catch(failedAt(file))
      await mustRun(server, doing)
      await answers(site, folder, doing)
      await rm(file)
    },
  }
}

/** The bytes as they are; the stream throws Trouble(7) when they are no whole dump. */
async function* checked(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const reader = new RdbReader()
  for await (const chunk of bytes) {
    reader.push(chunk)
    yield chunk
  }
  reader.end()
}

/** How long a server may take to open its socket, in milliseconds; loading itself may take as long as it likes. */
const START_MS = 15_000

async function answers(site: Site, folder: string, doing: Doing): Promise<void> {
  const ping = cli(drillServer(site, folder), ['PING'])
  for (let silent = performance.now(); ; ) {
    const { stdout } = await runs(ping, doing, { budgetMs: START_MS })
    if (stdout.startsWith('PONG')) return
    if (stdout.startsWith('LOADING')) silent = performance.now()
    const log = (await readFile(join(folder, 'log'), 'utf8').catch(() => '')).split('\n').filter(line => line.includes(' # '))
    const fatal = log.find(line => /rror|atal|Wrong|Can't handle|Unknown|corrupt/.test(line) && !/overcommit|MASTER/.test(line))
    if (stdout === '' && fatal) throw new Trouble(7, `redis-server does not load this dump: ${fatal.replace(/^.* # /, '')}`)
    if (performance.now() - silent > START_MS) throw new Trouble(4, `The scratch redis-server does not answer: ${log.at(-1) ?? 'it wrote no log'}`)
    await sleep(50, undefined, { signal: doing.signal })
  }
}

/** What the scratch server holds, by a dump that it writes itself; throws Trouble(4) when there is none. */
export async function drillContent(site: Site, run: string, doing: Doing): Promise<Content> {
  const folder = folderOf(site, run)
  if (!(await stands(folder))) throw new Trouble(4, `Nothing is loaded at ${folder}`)
  const { stdout, stderr } = await runs(cli(drillServer(site, folder), ['SAVE']), doing)
  if (!stdout.startsWith('OK')) throw new Trouble(4, `The scratch redis-server could not save what it holds: ${`${stdout}${stderr}`.trim()}`)
  const file = join(folder, 'dump.rdb')
  try {
    return await examine(createReadStream(file))
  } finally {
    await rm(file, { force: true })
  }
}

/** Ends the server of a drill and removes its folder; nothing there is fine. */
export function leaveDrill(site: Site, run: string): Action {
  const folder = folderOf(site, run)
  const shutdown = cli(drillServer(site, folder), ['SHUTDOWN', 'NOSAVE'])
  return {
    kind: 'call',
    prints: `${prints(shutdown)}; rm -r ${folder}`,
    async run(doing) {
      if (!(await stands(folder))) return null
      // It may be gone already; what counts is that its socket no longer answers, which the next line needs no proof of.
      await runs(shutdown, doing, { budgetMs: START_MS })
      await rm(folder, { recursive: true, force: true, maxRetries: 3 })
      return null
    },
  }
}

/** How many scratch servers stand for a run. */
export async function drillStands(site: Site, run: string): Promise<number> {
  return Number(await stands(folderOf(site, run)))
}

/** The runs that left a scratch server or its folder. */
export async function drillRuns(site: Site): Promise<string[]> {
  const names = await readdir(drills()).catch(() => [])
  const prefix = prefixOf(site)
  return names.filter(name => name.startsWith(prefix)).map(name => name.slice(prefix.length))
}

async function stands(folder: string): Promise<boolean> {
  return stat(folder).then(
    () => true,
    () => false,
  )
}
