import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { underLoad } from '../releases/runs.ts'
import { jsonOf } from '../runbooks/kit.ts'
import { describeWith } from '../testbed/index.ts'
import { fillRedis, lookRedis, lookSql, TABLES } from './data.ts'
import { type Ecosyste, ecosyste } from './releases/ecosyste.ts'
import { ends, said } from './releases/said.ts'

// Containers, images and databases; other test files run beside it.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const AGREED = '--confirm=ecosyste/production'
const GOOD = /requests, 0 failed, longest gap [\d,]+ ms/.source

describeWith(
  ['docker', 'nginx-image', 'postgres', 'redis', 'registry', 's3', 'zstd'],
  'ecosyste on Docker Compose: releases from a registry, PostgreSQL and Redis of its own, backups on S3 (MinIO)',
  () => {
    let stack: Ecosyste
    beforeAll(async () => {
      stack = await ecosyste(['1.0.0', '1.1.0', '1.2.0-crash'])
    })
    afterAll(() => stack?.end())

    const run = (exit: number, last: RegExp, runbook: string, ...flags: string[]) => ends(stack.site, exit, last, runbook, ...flags)
    const served = async (path: string) => (await fetch(`http://127.0.0.1:${stack.port}${path}`)).text()
    const data = () => ({ database: lookSql(stack.sql, 'ecosyste'), cache: lookRedis(stack.cli) })
    const started = (name: string) => stack.engine.docker('inspect', '--format', '{{.State.StartedAt}}', name)

    test('a first deploy with a backup is refused, because there is no database yet', async () => {
      const ran = await run(3, /^REFUSED ecosyste\/production: /, 'deploy', '--version=1.0.0', AGREED)
      expect(said(ran)).toMatch(/database .*is unreachable: .*service "postgres" is not running/)
      expect(stack.engine.docker('ps', '-aq')).toBe('')
    })

    test('the first deploy brings everything up, pulled from the registry by digest', async () => {
      // Nobody was served before: connections that were opened then get nothing until they are made anew, and are counted.
      const first = /^DEPLOYED ecosyste\/production: 1\.0\.0 serves 100 %; [\d,]+ requests, [\d,]+ failed, .*\(exit 0\)$/
      const ran = await run(0, first, 'deploy', '--version=1.0.0', '--skip-backup', AGREED)
      expect(said(ran)).toContain('the first release: there is none to go back to')
      expect([await served('/health'), await served('/')]).toEqual(['backend 1.0.0\n', 'frontend 1.0.0\n'])
      expect((await fetch(`http://127.0.0.1:${stack.port}/metrics`)).status).toBe(404)
      expect(await served('/api/secrets')).toMatch(/^database_url 1 .*\njwt_secret 1 .*\nredis_url 1 .*\n$/)
    })

    test('a new version comes under load without a failed request, with a recovery point that names what served; the databases are left alone', async () => {
      stack.sql('ecosyste', TABLES)
      fillRedis(stack.cli)
      const before = { data: data(), at: ['nginx', 'postgres', 'redis'].map(name => started(`ecosyste-${name}-1`)) }
      const deploy = () => run(0, /^\{/, 'deploy', '--version=1.1.0', AGREED, '--json')
      const { done, sent, failures } = await underLoad({ port: stack.port, pauseMs: 100 }, deploy)
      expect([failures, sent > 100]).toEqual([[], true])
      const { word, result } = jsonOf(done)
      const { backup } = result as { backup: string }
      expect([word, result]).toMatchObject(['DEPLOYED', { versions: { backend: '1.1.0', frontend: '1.1.0' }, door: { failed: 0 } }])
      expect(await served('/health')).toBe('backend 1.1.0\n')
      const after = { data: data(), at: ['nginx', 'postgres', 'redis'].map(name => started(`ecosyste-${name}-1`)) }
      expect(after).toEqual(before)
      await run(0, /: 1 backup at /, 'backup-list')
      const { result: listed } = jsonOf(await stack.site.run('backup-list', '--json'))
      expect(JSON.stringify(listed)).toContain(backup)
      expect(JSON.stringify(listed)).toMatch(new RegExp(`"release":\\{"release":"${(result as { previous: string }).previous}"`))
    })

    test('a version that crashes is taken back with its last words', async () => {
      const last = /^NOT DONE ecosyste\/production: 1\.1\.0 still serves; traffic never moved; front door: [\d,]+ requests, 0 failed/
      const ran = await run(4, last, 'deploy', '--version=1.2.0-crash', '--skip-backup', AGREED)
      expect(said(ran)).toMatch(/crashed 2 times.*JWT_SECRET is shorter than 32 characters/)
      expect(await served('/health')).toBe('backend 1.1.0\n')
    })

    test('going back is rehearsed on a copy of the database and with an empty Redis, and leaves nothing', async () => {
      const before = data()
      const safe = /^SAFE ecosyste\/production: 1\.0\.0 was healthy and passed 2 smoke tests in .* on a copy of .* old\), verified/
      expect(said(await run(0, safe, 'rollback', '--rehearse', '--yes'))).toContain('! without cache: no application is led to a copy of that')
      expect([data(), stack.engine.docker('ps', '-aq', '--filter', 'label=com.docker.compose.project=ecosyste-rehearsal')]).toEqual([before, ''])
    })

    test('a tag that the registry does not have is refused', async () => {
      const ran = await run(3, /^REFUSED /, 'deploy', '--version=9.9.9', '--skip-backup', AGREED)
      expect(said(ran)).toMatch(/ecosyste\/backend:9\.9\.9 is missing/)
    })

    test('a rollback goes to the release before, and a service may be deployed alone', async () => {
      await run(0, new RegExp(`^ROLLED BACK ecosyste/production: 1\\.0\\.0 serves 100 %; [\\d,]+ ${GOOD}`), 'rollback', AGREED)
      expect(await served('/health')).toBe('backend 1.0.0\n')
      const alone = /^DEPLOYED ecosyste\/production: backend 1\.1\.0, frontend 1\.0\.0 serves 100 %/
      await run(0, alone, 'deploy', '--set', 'backend=1.1.0', '--skip-backup', AGREED)
      expect([await served('/health'), await served('/')]).toEqual(['backend 1.1.0\n', 'frontend 1.0.0\n'])
    })

    test('the releases are listed with who, when and what was left out', async () => {
      const ran = await run(0, /^DONE ecosyste\/production: 4 verified releases; backend 1\.1\.0, frontend 1\.0\.0 serves/, 'releases')
      expect(ran.stdout).toContain('rollback goes')
      const { result } = jsonOf(await stack.site.run('releases', '--json'))
      const { releases } = result as { releases: { overrides: string[]; bundle: { services: Record<string, { digest: string }> } }[] }
      expect(releases.map(({ overrides }) => overrides)).toEqual([['skip-backup'], [], [], ['skip-backup']])
      for (const { bundle } of releases) for (const { digest } of Object.values(bundle.services)) expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/)
    })

    test('health is well, and of what is stopped the cause is said', async () => {
      await run(0, /^DONE ecosyste\/production: 8 of 8 healthy/, 'health-check')
      stack.engine.docker('stop', 'ecosyste-redis-1')
      const redis = await run(7, /^UNHEALTHY ecosyste\/production: /, 'health-check')
      expect(said(redis)).toMatch(/front door: \S+: 503 .*cache: .*service "redis" is not running/)
      stack.engine.docker('start', 'ecosyste-redis-1')
    })
  },
)
