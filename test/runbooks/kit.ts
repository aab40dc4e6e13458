import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import type { Entry } from '../../lib/plan/journal.ts'

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const ZX = join(ROOT, 'node_modules/.bin/zx')
const PRELOAD = join(ROOT, 'test/runbooks/preload.ts')

/** A small application on this machine with everything around it that a runbook touches. */
export type World = {
  readonly folder: string
  /** RUNBOOKS_HOME and RUNBOOKS_CONFIG. */
  readonly home: string
  readonly config: string
  readonly database: string
  readonly media: string
  readonly store: string
  /** Variables that each runbook in it is given. */
  readonly env?: Readonly<Record<string, string>>
}

/** What a world's stack file says beyond its data; text of TypeScript. */
export type Shape = {
  readonly data?: string
  readonly stores?: string
  readonly environment?: string
  readonly env?: string
  readonly timezone?: string
}

const made: string[] = []

/** Removes the folders of every world that this process made. */
export function endWorlds(): void {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true })
}

/** The places of a world that stands in a folder. */
export function worldAt(folder: string): World {
  return {
    folder,
    home: join(folder, 'home'),
    config: join(folder, 'config'),
    database: join(folder, 'home/shop.sqlite'),
    media: join(folder, 'home/media'),
    store: join(folder, 'home/backups'),
  }
}

function emptyWorld(): World {
  const folder = mkdtempSync(join(tmpdir(), 'runbooks-world-'))
  made.push(folder)
  return worldAt(folder)
}

/** A tiny SQLite database, five files, a directory store, and a stack file outside the clone. */
export function newWorld(shape: Shape = {}): World {
  const world = emptyWorld()
  mkdirSync(world.media, { recursive: true })
  mkdirSync(world.config)
  writeFileSync(join(world.config, 'package.json'), '{"type":"module"}')
  describeStack(world, shape)
  const database = new DatabaseSync(world.database)
  database.exec('CREATE TABLE orders (id INTEGER PRIMARY KEY, says TEXT); CREATE TABLE users (name TEXT)')
  for (let n = 1; n <= 40; n++) database.prepare('INSERT INTO orders VALUES (?, ?)').run(n, `order ${n}`)
  database.exec("INSERT INTO users VALUES ('ada'), ('grace')")
  database.close()
  for (let n = 1; n <= 5; n++) writeFileSync(join(world.media, `photo ${n}.txt`), `photo ${n}\n`.repeat(20))
  return world
}

/** Writes the stack file of a world anew. */
export function describeStack(world: World, { data, stores, environment, env, timezone }: Shape): void {
  writeFileSync(
    join(world.config, 'shop.ts'),
    `import { azureBlob, defineStack, directory, env, files, mongodb, postgres, redis, s3, secret, sqlite } from 'runbooks'
void [azureBlob, directory, env, files, mongodb, postgres, redis, s3, secret, sqlite]
export default defineStack({
  name: 'shop',
  timezone: '${timezone ?? 'Europe/Paris'}',
  data: { ${data ?? `database: sqlite({ file: 'shop.sqlite' }), media: files({ directory: 'media' })`} },
  environments: { local: { stores: [${stores ?? `directory({ path: 'backups' })`}], ${environment ?? ''} } },
})
`,
  )
  if (env !== undefined) writeFileSync(join(world.config, 'shop.local.env'), env)
}

/** The same world in another folder, so that each case begins from the same state. */
export function copyOf(world: World): World {
  const copy = emptyWorld()
  cpSync(world.folder, copy.folder, { recursive: true, preserveTimestamps: true })
  return copy
}

/** How a runbook came out, as whoever started it can know. */
export type Ran = {
  readonly exit: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** The last line of stdout. */
  readonly last: string
}

export type Invoke = {
  readonly env?: Readonly<Record<string, string>>
  /** A point of the preload at which the process dies, `entry:7:after`. */
  readonly die?: string
  /** The signal that it gets there instead of SIGKILL. */
  readonly by?: NodeJS.Signals
  /** A file to which the preload writes the points that it passed. */
  readonly points?: string
  /** What stdin is; nothing to read unless said. */
  readonly stdin?: 'ignore' | 'pipe' | 'closed'
  /** Called with the running process. */
  readonly started?: (child: ChildProcess) => void
  /** Without --stack and --environment. */
  readonly bare?: boolean
}

/** What cron gives to a process, and what this toolkit needs on PATH. */
export function bareEnv(world: World, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
    HOME: world.folder,
    RUNBOOKS_HOME: world.home,
    RUNBOOKS_CONFIG: world.config,
    ...world.env,
    ...more,
  }
}

/** Runs a runbook of the clone as a child process without a terminal, and waits for its end. */
export async function invoke(world: World, runbook: string, flags: readonly string[] = [], how: Invoke = {}): Promise<Ran> {
  const watched = how.die !== undefined || how.points !== undefined
  const argv = [
    ...(watched ? ['--import', PRELOAD] : []),
    ZX,
    `runbooks/${runbook}.ts`,
    ...(how.bare ? [] : ['--stack=shop', '--environment=local']),
    ...flags,
  ]
  const env = {
    ...bareEnv(world, how.env),
    ...(how.die === undefined ? {} : { DIE_AT: how.die }),
    ...(how.by === undefined ? {} : { DIE_BY: how.by }),
    ...(how.points === undefined ? {} : { POINTS_TO: how.points }),
  }
  const [file, args] = how.stdin === 'closed' ? ['/bin/sh', ['-c', 'exec "$0" "$@" <&-', process.execPath, ...argv]] : [process.execPath, argv]
  const child = spawn(file, args, { cwd: ROOT, env, stdio: [how.stdin === 'pipe' ? 'pipe' : 'ignore', 'pipe', 'pipe'] })
  const out: string[] = []
  const err: string[] = []
  child.stdout?.setEncoding('utf8').on('data', text => out.push(text))
  child.stderr?.setEncoding('utf8').on('data', text => err.push(text))
  how.started?.(child)
  const [exit, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, by) => resolve([code, by]))
  })
  const stdout = out.join('')
  return { exit, signal, stdout, stderr: err.join(''), last: stdout.trimEnd().split('\n').at(-1) ?? '' }
}

/** The one object of --json; throws when stdout holds anything else. */
export function jsonOf(ran: Ran): Record<string, unknown> & { exit: number; word: string; run: string | null; result: unknown } {
  if (!/^\{[^\n]*\}\n$/.test(ran.stdout)) throw new Error(`stdout is not one JSON object:\n${ran.stdout}`)
  return JSON.parse(ran.stdout)
}

/** The journals of a world, oldest first; a torn last line is left out. */
export function journals(home: string): { run: string; folder: string; entries: Entry[] }[] {
  const runs = join(home, 'runs')
  if (!existsSync(runs)) return []
  return readdirSync(runs)
    .sort()
    .flatMap(name => {
      const file = join(runs, name, 'journal.jsonl')
      if (!existsSync(file)) return []
      const entries = readFileSync(file, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map(line => JSON.parse(line) as Entry)
      const planned = entries.find(entry => entry.at === 'planned')
      return [{ run: planned?.at === 'planned' ? planned.run : name, folder: join(runs, name), entries }]
    })
}

const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex')

/** Rows of a database as text; locks and other schema of ours do not count. */
export function rowsOf(file: string): string {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all()
    return tables.map(({ name }) => JSON.stringify([name, database.prepare(`SELECT * FROM "${String(name)}"`).all()])).join('\n')
  } finally {
    database.close()
  }
}

/** One digest of the live rows and files. */
export function dataDigest(world: World): string {
  const files = readdirSync(world.media)
    .sort()
    .map(name => `${name} ${sha256(readFileSync(join(world.media, name)))}`)
  return sha256([rowsOf(world.database), ...files].join('\n'))
}

/** Every file below a folder as relative paths; hidden ones too. */
export function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => !entry.isDirectory())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
}

/** Changes the live data so that it is not what an earlier backup holds. */
export function changeData(world: World, mark = 'later'): void {
  const database = new DatabaseSync(world.database)
  for (let n = 0; n < 3; n++) database.prepare('INSERT INTO orders (says) VALUES (?)').run(`${mark} ${n}`)
  database.exec("DELETE FROM orders WHERE id = 1; UPDATE orders SET says = 'changed' WHERE id = 2")
  database.close()
  writeFileSync(join(world.media, `${mark}.txt`), mark)
  rmSync(join(world.media, 'photo 1.txt'), { force: true })
}

/** Writes a row and takes it away; throws when writers are locked out. */
export function tryWriting(world: World): void {
  const database = new DatabaseSync(world.database)
  try {
    database.exec("INSERT INTO users VALUES ('writer'); UPDATE users SET name = 'w' WHERE name = 'writer'; DELETE FROM users WHERE name = 'w'")
  } finally {
    database.close()
  }
}

/** What of the store is wrong: objects in a folder without a manifest, bytes that are not the manifest's, temporary files. Empty when it is sound. */
export function storeFaults(world: World): string[] {
  const base = join(world.store, 'shop/local')
  const files = filesBelow(base)
  // A torn write of a small document stays for a day, then the next backup removes it; bytes of a part do not.
  const torn = (file: string) =>
    !file.startsWith('.state/') && file.includes('.tmp-') && !['', '{'].includes(readFileSync(join(base, file)).toString('utf8', 0, 1))
  const faults = files.filter(torn).map(file => `${file} is left over`)
  for (const id of new Set(
    files
      .filter(file => !file.includes('.tmp-'))
      .map(file => file.split('/')[0] ?? '')
      .filter(id => id !== '.state'),
  )) {
    if (!existsSync(join(base, id, 'manifest.json'))) {
      faults.push(`${id} has objects and no manifest`)
      continue
    }
    const manifest = JSON.parse(readFileSync(join(base, id, 'manifest.json'), 'utf8'))
    for (const part of Object.values<{ object: string; stored: { sha256: string }; frames: string; index: { sha256: string } }>(manifest.parts)) {
      for (const [file, sum] of [
        [part.object, part.stored.sha256],
        [part.frames, part.index.sha256],
      ] as const)
        if (!existsSync(join(base, id, file)) || sha256(readFileSync(join(base, id, file))) !== sum) faults.push(`${id}/${file} is not as recorded`)
    }
  }
  return faults
}

/** The backups of a world's store, oldest first. */
export function pointsOf(world: World): string[] {
  return [
    ...new Set(filesBelow(join(world.store, 'shop/local')).flatMap(file => (file.endsWith('/manifest.json') ? [file.split('/')[0] ?? ''] : []))),
  ].sort()
}

/** Names beside the live data that a restore or a drill leaves: loaded, set aside, scratch. */
export function remains(world: World): string[] {
  const found = readdirSync(world.home).filter(name => /__(restore|aside)_/.test(name))
  const scratch = filesBelow(world.home).filter(name => name.startsWith('.') && name.includes('.scratch/'))
  return [...found.filter(name => !/-(wal|shm)$/.test(name)), ...scratch].sort()
}

/** Runs `work` over the items, so many at a time. */
export async function inParallel<T>(items: readonly T[], workers: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items]
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: workers }, worker))
}
