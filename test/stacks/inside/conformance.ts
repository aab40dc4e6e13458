import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { filesBelow, invoke, type Ran, worldAt } from '../../runbooks/kit.ts'
import { find } from '../../testbed/tools.ts'
import type { Site } from '../site.ts'
import { story } from '../story.ts'
import { damage, fill, fillBig, look, PASSWORDS } from './data.ts'

/** A platform with the services `postgres`, `redis` and `media`, and how to work in them without the toolkit. */
export type Inside = {
  /** As the stack file writes it. */
  readonly platform: string
  /** What is said of where it is, and how a command in a service begins where a plan prints it. */
  readonly where: string
  readonly prints: string
  /** The env file of the environment. */
  readonly settings: Readonly<Record<string, string>>
  /** Of the process. */
  readonly env: Readonly<Record<string, string>>
  /** Runs a program in a service and returns what it prints; throws with what it said. */
  exec(service: string, argv: readonly string[]): string
  /** The words with which a program is run in a service. */
  words(service: string, argv: readonly string[]): readonly [string, ...string[]]
  /** Ends a service at once, as the loss of its machine would. */
  kill(service: string): void
  stop(): Promise<void>
}

/** A site that may be run with other variables than its own. */
type Inner = Site & { runWith(env: Readonly<Record<string, string>>, runbook: string, ...flags: string[]): Promise<Ran> }

const STACK = (platform: string) => `import { compose, defineStack, directory, files, kubernetes, postgres, redis, secret } from 'runbooks'
export default defineStack({
  name: 'shop',
  timezone: 'UTC',
  data: {
    database: postgres({ in: 'postgres', user: 'shop', password: secret('DB_PASSWORD'), database: 'shop' }),
    cache: redis({ in: 'redis', password: secret('REDIS_PASSWORD') }),
    media: files({ in: 'media', directory: '/srv/media' }),
  },
  environments: { test: { platform: ${platform}, stores: [directory({ path: 'backups' })] } },
})
`

function siteOf(inside: Inside): Inner {
  const world = worldAt(mkdtempSync(join(tmpdir(), 'runbooks-inside-')))
  for (const folder of [world.home, world.config]) mkdirSync(folder)
  const settings = { DB_PASSWORD: PASSWORDS.database, REDIS_PASSWORD: PASSWORDS.cache, ...inside.settings }
  writeFileSync(join(world.config, 'package.json'), '{"type":"module"}')
  writeFileSync(join(world.config, 'shop.ts'), STACK(inside.platform))
  // Values stand between quotes that none of them has.
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value.includes('"') ? `'${value}'` : JSON.stringify(value)}\n`)
  writeFileSync(join(world.config, 'shop.test.env'), lines.join(''), { mode: 0o600 })
  // Programs of the databases are in the services alone; a drill of Redis has a server of its own here.
  const tools = ['docker', 'kubectl', 'ssh', 'redis-server', 'redis-cli'].flatMap(tool => find(tool) ?? []).map(file => dirname(file))
  const env = { PATH: [dirname(process.execPath), ...new Set(tools), '/usr/bin', '/bin'].join(':'), ...inside.env }
  const runWith: Inner['runWith'] = (more, runbook, ...flags) =>
    invoke(world, runbook, ['--stack=shop', '--environment=test', ...flags], { env: { ...env, ...more }, bare: true })
  return {
    world,
    subject: 'shop/test',
    run: (runbook, ...flags) => runWith({}, runbook, ...flags),
    runWith,
    end: () => rmSync(world.folder, { recursive: true, force: true }),
  }
}

/** Stops a pg_dump that has written 5 MB, for good, and says so. */
const FREEZE = `while :; do for p in /proc/[0-9]*; do
c=; read -r c < $p/comm; [ "$c" = pg_dump ] || continue
while read -r key value; do [ "$key" = wchar: ] && [ "$value" -gt 5000000 ] && kill -STOP "\${p#/proc/}" && echo frozen && exit; done < $p/io
done; done 2>/dev/null`

/** The recovery points that have a manifest, by their folders, oldest first. */
const pointsOf = ({ world }: Site) =>
  filesBelow(join(world.home, 'backups/shop/test'))
    .filter(file => file.endsWith('/manifest.json'))
    .sort()

async function says(child: ChildProcess, word: string): Promise<void> {
  let said = ''
  while (!said.includes(word)) said += String((await once(child.stdout!, 'data'))[0])
}

/** What holds of data in services of every platform; the last test ends the database for good. */
export function conformance(begin: () => Promise<Inside>): void {
  let inside: Inside
  let site: Inner
  beforeAll(async () => {
    inside = await begin()
    site = siteOf(inside)
    await fill(inside)
  })
  afterAll(async () => {
    site?.end()
    await inside?.stop()
  })

  story(() => ({ site, look: () => look(inside), damage: () => damage(inside) }), { protected: false, restore: ['--writers-stopped=STOPPED'] })

  test('the plan shows how the service is entered, the backup where it came from, and neither a password', async () => {
    const { stdout, stderr, exit } = await site.run('backup', '--dry-run')
    expect(exit, stderr).toBe(0)
    expect(stdout).toContain(`${inside.prints} pg_dump `)
    const [point = ''] = pointsOf(site)
    const manifest = readFileSync(join(site.world.home, 'backups/shop/test', point), 'utf8')
    expect(JSON.parse(manifest)).toMatchObject({ parts: { database: { where: `${inside.where}: postgres postgres://local/shop` } } })
    for (const password of Object.values(PASSWORDS)) expect(stdout + stderr + manifest).not.toContain(password)
  })

  test('a wrong password is a refusal that names the setting, before anything is done', async () => {
    const database = await site.runWith({ DB_PASSWORD: 'wrong' }, 'backup', '--yes')
    expect([database.exit, database.stderr + database.stdout]).toEqual([3, expect.stringContaining('DB_PASSWORD')])
    const cache = await site.runWith({ REDIS_PASSWORD: 'wrong' }, 'backup', '--yes')
    expect([cache.exit, cache.stderr + cache.stdout]).toEqual([3, expect.stringContaining('REDIS_PASSWORD')])
  })

  test('a database that is lost in the middle of its dump leaves no backup', async () => {
    fillBig(inside)
    const points = pointsOf(site)
    const [file, ...argv] = inside.words('postgres', ['sh', '-c', FREEZE])
    const watcher = spawn(file, argv, { env: { ...process.env, ...inside.env }, stdio: ['ignore', 'pipe', 'ignore'] })
    try {
      const backup = site.run('backup', '--yes')
      const early = await Promise.race([says(watcher, 'frozen'), backup])
      expect(early, JSON.stringify(early)).toBeUndefined()
      inside.kill('postgres')
      const ran = await backup
      expect(ran.exit, `${ran.stdout}\n${ran.stderr}`).toBe(4)
      console.log(ran.last)
    } finally {
      watcher.kill('SIGKILL')
    }
    expect(pointsOf(site)).toEqual(points)
    const after = await site.run('backup', '--yes')
    expect(after.exit, after.stderr).not.toBe(0)
    expect(after.stdout + after.stderr).toMatch(/cannot be entered|does not answer|unreachable/)
  })
}
