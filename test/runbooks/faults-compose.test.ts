import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { freePort } from '../platforms/sandbox-world.ts'
import {
  type ComposeShop,
  composeFaults,
  describeComposeShop,
  imageOf,
  newComposeShop,
  type Shape,
  servedAt,
  standingStill,
} from '../releases/compose-shop.ts'
import { pointThatSays } from '../releases/points.ts'
import { deployed, must, said } from '../releases/runs.ts'
import { describeWith } from '../testbed/index.ts'
import { faultTable } from './faults.ts'
import { endWorlds, invoke, journals, type Ran } from './kit.ts'

// Each starts many processes and containers, and other test files run beside it.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

/** Versions of the web service; the end of a name says what is wrong with it. */
const BAD = ['1.3.0-crash', '1.3.0-crash5', '1.3.0-sick', '1.3.0-errors', '1.3.0-late', '1.3.0-stubborn']

/** Watched as closely as a real one. */
const WATCHED: Shape = { deploy: `bake: '15s', probe: { path: '/', perSecond: 60 }` }

/** Requests that failed, as the flight recorder says in the last line of a run; null where it was not at work. */
const failures = ({ last }: Ran): number | null => {
  const found = /requests, ([\d,]+) failed/.exec(last)?.[1]
  return found === undefined ? null : Number(found.replaceAll(',', ''))
}

describeWith(['docker', 'nginx-image'], 'releases on Docker Compose when something is wrong', () => {
  const { row, known, made } = faultTable('Releases on Docker Compose')
  let shop: ComposeShop
  beforeAll(async () => {
    shop = await newComposeShop(BAD)
  })
  afterAll(async () => {
    await shop?.end()
    endWorlds()
  })

  const docker = (...argv: readonly string[]) => shop.host.engine.docker(...argv)
  const containers = () => docker('ps', '-aq').split('\n').filter(Boolean)
  const sound = async (version: string) => expect([await servedAt(shop), await composeFaults(shop)]).toEqual([version, []])

  /** Plays a run in a shop that is described otherwise, and describes it as before. */
  async function shaped(shape: Shape, flags: readonly string[], runbook = 'deploy'): Promise<Ran> {
    describeComposeShop(shop, shape)
    try {
      return await invoke(shop, runbook, flags)
    } finally {
      describeComposeShop(shop)
    }
  }

  test('a port that another program has: nothing serves, and nothing of the release runs', async () => {
    const port = await freePort()
    const taken = createServer(socket => socket.destroy()).listen(port, '127.0.0.1')
    const directory = join(shop.host.directory, 'other')
    const ran = await shaped({ project: 'other', directory, port }, ['--version=1.0.0', '--yes'])
    taken.close()
    expect([ran.exit, said(ran)]).toEqual([4, expect.stringMatching(/address already in use|port is already allocated/)])
    expect(docker('ps', '-q')).toBe('')
    row('a front door whose port is taken, at the first deploy', 'deploy --version=1.0.0', ran, 'nothing serves, as before', shop)
    docker('compose', '-p', 'other', 'down', '--remove-orphans')
    rmSync(directory, { recursive: true, force: true })
  })

  test('a first version that crashes leaves nothing', async () => {
    const ran = await must(4, shop, 'deploy', ['--set', 'web=1.3.0-crash', '--set', 'worker=1.0.0', '--yes'])
    expect(said(ran)).toMatch(/web: it crashed 2 times, the last time with exit 1/)
    expect(await composeFaults(shop)).toEqual(['nothing serves'])
    row('a first version that crashes', 'deploy --set web=1.3.0-crash --set worker=1.0.0', ran, 'nothing serves, as before', shop)
    await deployed(shop, '1.0.0')
  })

  const bad: readonly [fault: string, flaw: string, shape: Shape, why: RegExp, some: boolean | null][] = [
    ['a version that crashes 0.3 s after its start', 'crash', {}, /web: it crashed 2 times, .*boom: cannot open the database/, false],
    [
      'a version that crashes 5 s after its start',
      'crash5',
      { deploy: `bake: '30s'` },
      /web.* (died|crashed|restarted).*boom: the cache went away/,
      null,
    ],
    ['a version that is never healthy', 'sick', { deploy: `budget: '5s'` }, /not done within 5\.0 s: web: health check: .*503/, false],
    ['a version with 10 % errors only under load', 'errors', WATCHED, /requests failed at the front door \(status 500\)/, true],
    ['a version that dies while it is watched', 'late', WATCHED, /under traffic: web.*out of memory|requests failed at the front door/, null],
  ]
  test.each(bad)('%s is taken back', async (fault, flaw, shape, why, some) => {
    const ran = await shaped(shape, ['--set', `web=1.3.0-${flaw}`, '--yes'])
    expect([ran.exit, said(ran)]).toEqual([4, expect.stringMatching(why)])
    await sound('1.0.0')
    if (some !== null) expect((failures(ran) ?? 0) > 0).toBe(some)
    const seen = some === null ? 'what failed until then is counted' : some ? 'some requests failed, and are counted' : 'no request failed'
    // Whether it dies before the traffic comes to it or after is a matter of seconds.
    const last = some === null ? ran.last.replace('traffic never moved; ', '').replace(/, [\d,]+ failed/, ', ‹n› failed') : ran.last
    row(fault, `deploy --set web=1.3.0-${flaw}`, { ...ran, last }, `1.0.0 serves; ${seen}`, shop)
  })

  const refused: readonly [fault: string, shape: Shape, flags: readonly string[], exit: number, why: RegExp][] = [
    ['a version that there is none of', {}, ['--version=9.9.9', '--yes'], 3, /shop\/web:9\.9\.9 is missing/],
    ['the version that serves', {}, ['--version=1.0.0', '--yes'], 3, /1\.0\.0 already serves, with the same images, files and secrets/],
    ['an image for another kind of processor', {}, ['--set', 'web=1.4.0', '--yes'], 3, /shop\/web:1\.4\.0 is wrong platform: it is for linux\//],
    ['a secret that is not set', { env: '\n' }, ['--version=1.1.0', '--yes'], 2, /TOKEN is not set/],
    ['a secret that the stack file does not give', { secrets: ' ' }, ['--version=1.1.0', '--yes'], 3, /app\.yaml wants the secret token/],
    [
      'a service that the Compose file does not have',
      { services: `mailer: { image: 'shop/mailer', traffic: 'none', twice: 'allowed' },` },
      ['--version=1.1.0', '--yes'],
      3,
      /app\.yaml has no service mailer/,
    ],
  ]
  test.each(refused)('%s is refused, and nothing is touched', async (fault, shape, flags, exit, why) => {
    const other = process.arch === 'arm64' ? 'amd64' : 'arm64'
    if (flags.includes('web=1.4.0')) foreign(`${imageOf(shop, 'web')}:1.4.0`, other)
    const before = containers()
    const ran = await shaped(shape, flags)
    expect([ran.exit, said(ran)]).toEqual([exit, expect.stringMatching(why)])
    expect(containers()).toEqual(before)
    const last = ran.last.replaceAll(/linux\/a\w+/g, '‹kind›')
    row(fault, `deploy ${flags.slice(0, -1).join(' ')}`, { ...ran, last }, '1.0.0 serves', shop)
  })

  function foreign(name: string, architecture: string): void {
    const input = execFileSync('tar', ['-C', shop.folder, '-c', 'config'])
    execFileSync('docker', ['import', `--platform=linux/${architecture}`, '-', name], { input, stdio: ['pipe', 'ignore', 'pipe'] })
  }

  test('a Compose file with a typo is refused with Compose’s words', async () => {
    const file = join(shop.host.files, 'app.yaml')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace('restart: unless-stopped', 'restrat: unless-stopped'))
    const ran = await must(3, shop, 'deploy', ['--version=1.1.0', '--yes'])
    writeFileSync(file, text)
    expect(said(ran)).toMatch(/app\.yaml is not valid: .*restrat/)
    row('a Compose file with a typo', 'deploy --version=1.1.0', ran, '1.0.0 serves', shop)
  })

  test('a disk that is full: nothing of the release is left', async () => {
    const folder = join(shop.host.directory, '.runbooks/releases')
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4k,nr_inodes=4', 'full', folder])
    try {
      const ran = await must(4, shop, 'deploy', ['--version=1.1.0', '--yes'])
      expect(said(ran)).toMatch(/No space left on device/)
      row('a disk that is full', 'deploy --version=1.1.0', ran, '1.0.0 serves; no request failed', shop)
    } finally {
      execFileSync('umount', [folder])
    }
    await sound('1.0.0')
  })

  test('a front door with a broken file is found before anything is touched; one that breaks on the way needs a person, and the old version serves', async () => {
    const file = join(shop.host.directory, '.runbooks/edge/files/nginx/nginx.conf')
    const text = readFileSync(file, 'utf8')
    const broken = () => writeFileSync(file, text.replace('listen 8080;', 'listen 8080; lissen 9;'))
    broken()
    const refused = await must(3, shop, 'deploy', ['--version=1.1.0', '--yes'])
    expect(said(refused)).toMatch(/nginx does not take its own files.*unknown directive "lissen"/)
    row('nginx with a broken file', 'deploy --version=1.1.0', refused, '1.0.0 serves', shop)
    writeFileSync(file, text)
    const ran = await must(5, shop, 'deploy', ['--version=1.1.0', '--yes'], {
      started: child => child.stderr?.on('data', (says: string) => void (says.includes('start    Wait until it is healthy') && broken())),
    })
    expect([said(ran), await servedAt(shop)]).toEqual([expect.stringContaining('unknown directive "lissen"'), '1.0.0'])
    row('nginx whose file breaks on the way', 'deploy --version=1.1.0', ran, '1.0.0 serves; no request failed', shop)
    writeFileSync(file, text)
    const taken = await must(0, shop, 'deploy', ['--revert', '--yes'])
    row('the same, once the file is mended', 'deploy --revert', taken, '1.0.0 serves', shop)
    await sound('1.0.0')
  })

  test('what does not end when it is told to is let finish, and then ended', async () => {
    await must(0, shop, 'deploy', ['--set', 'web=1.3.0-stubborn', '--yes'])
    const ran = await must(0, shop, 'deploy', ['--version=1.1.0', '--yes'])
    expect(failures(ran)).toBe(0)
    row('a version that serves and does not end when it is told to', 'deploy --version=1.1.0', ran, '1.1.0 serves; no request failed', shop)
    await sound('1.1.0')
  })

  test('two operators at once, and an image that is changed by hand between the plan and its beginning', async () => {
    await deployed(shop, '1.2.0')
    const first = await standingStill(shop, ['--version=1.1.0', '--yes'], pointThatSays('intent release.start/slot'))
    const busy = await must(6, shop, 'deploy', ['--version=1.0.0', '--yes'])
    expect(said(busy)).toContain(`deploy (${journals(shop.home).at(-1)?.run})`)
    row('two operators at once', 'deploy --version=1.0.0', busy, '1.2.0 serves, and the first operator goes on', shop)
    const second = invoke(shop, 'deploy', ['--version=1.0.0', '--yes', '--wait=3min'], {
      started: child =>
        child.stderr?.on('data', (text: string) => {
          if (!text.includes('Waiting for')) return
          docker('tag', `${imageOf(shop, 'web')}:1.2.0`, `${imageOf(shop, 'web')}:1.0.0`)
          first.goOn()
        }),
    })
    expect((await first.ran).exit).toBe(0)
    const stale = await second
    expect([stale.exit, said(stale)]).toEqual([3, expect.stringContaining('The world changed since the plan was shown')])
    row(
      'a tag that was moved by hand, and another release, between plan and apply',
      'deploy --version=1.0.0 --wait=3min',
      stale,
      '1.1.0 serves, as the first wanted it',
      shop,
    )
    await sound('1.1.0')
  })

  test('every fault of the table was tested', () => {
    if (!process.env.UPDATE_FAULTS) expect(made()).toEqual(known())
  })
})
