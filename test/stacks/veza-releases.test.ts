import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { door, until as eventually, through } from '../k8s/stand.ts'
import { type Line, linesIn, lineThatSays } from '../releases/points.ts'
import { underLoad } from '../releases/runs.ts'
import { journals, type Ran } from '../runbooks/kit.ts'
import { until } from '../runbooks/waiting.ts'
import { describeWith, type Minio, minio } from '../testbed/index.ts'
import { DAMAGE, damageRedis, fillRedis, lookRedis, lookSql, TABLES } from './data.ts'
import { type KubernetesStack, kubernetesStack, stoppedAt } from './releases/kubernetes.ts'
import { came, ends, said } from './releases/said.ts'

// Pods start and end, and other test files run beside it.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const AGREED = '--confirm=veza/production'
const DATABASE = 'veza_staging'
const VERSIONS = ['v1.2.3', 'v1.2.4', 'v1.2.5-crash', 'v1.2.5-oom'] as const
const WORKLOADS = ['veza-backend-api', 'veza-chat-server', 'veza-stream-server'] as const

describeWith(
  ['kubernetes', 'postgres', 'redis', 's3', 'zstd'],
  'veza on a cluster, its protected environment: stand-ins, real PostgreSQL and Redis in pods, backups on S3 (MinIO)',
  () => {
    if (door() === undefined) return void test.skip('releases of veza (skipped, needs TESTBED_CLUSTER_DOOR)', () => {})
    let stack: KubernetesStack
    let store: Minio
    let lines: readonly Line[]

    // Inside the pod PostgreSQL asks for no password, and Redis for its own.
    const psql = (database: string, text: string) => ['psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-U', 'veza_user', '-d', database, '-c', text]
    const redis = (words: readonly string[]) => ['sh', '-c', 'REDISCLI_AUTH="$REDIS_PASSWORD" exec redis-cli -e "$@"', 'sh', ...words]
    const change = (...words: string[]) => stack.kubectl('exec', 'redis-0', '--', ...redis(words))
    const look = () => ({
      database: lookSql((database, text) => stack.look('postgres-0', ...psql(database, text)), DATABASE),
      cache: lookRedis((...words) => stack.look('redis-0', ...redis(words))),
    })

    beforeAll(async () => {
      store = await minio()
      const bucket = await store.bucket('veza')
      stack = await kubernetesStack({
        stack: 'veza',
        environment: 'production',
        versions: VERSIONS,
        layers: ['setup', 'data'],
        routes: [{ path: '/', service: 'veza-backend-api-service', port: 80 }],
        replace: {
          "bake: '1min'": "bake: '3s', probe: { path: '/health', perSecond: 20 }",
          // The stand-ins that misbehave say so in their version.
          "+$',": "+(-crash)?$',",
          's3({': `s3({ endpoint: '${store.endpoint}', forcePathStyle: true,`,
        },
        settings: ({ 'veza-secrets': secrets }) => ({
          DATABASE_URL: `postgres://veza_user:${secrets?.DB_PASSWORD}@127.0.0.1:5432/${DATABASE}`,
          DB_NAME: DATABASE,
          REDIS_URL: `redis://:${secrets?.REDIS_PASSWORD}@127.0.0.1:6379`,
          S3_BUCKET: bucket,
          AWS_REGION: store.region,
          AWS_ACCESS_KEY_ID: store.accessKey,
          AWS_SECRET_ACCESS_KEY: store.secretKey,
          SLACK_WEBHOOK_URL: 'http://127.0.0.1:9/hook',
        }),
      })
      for (const name of ['postgres', 'redis']) stack.kubectl('rollout', 'status', `statefulset/${name}`, '--timeout=200s')
      stack.kubectl('exec', 'postgres-0', '--', ...psql(DATABASE, TABLES))
      fillRedis(change)
    })
    afterAll(async () => {
      stack?.end()
      await store?.stop()
    })

    const run = (exit: number, last: RegExp, runbook: string, ...flags: string[]) => ends(stack.site, exit, last, runbook, ...flags)
    const served = async () => JSON.parse((await through(stack.door.headers.host ?? '', '/health')).text).version
    const images = () => WORKLOADS.map(name => stack.kubectl('get', 'deployment', name, '-o', 'jsonpath={..image}').split(':').at(-1))
    const DEPLOY = (version: string) => [`--version=${version}`, AGREED]

    test('a version of another form is refused; a right one brings all three to serve, after a backup of what there is', async () => {
      expect(said(await run(2, /\(exit 2\)$/, 'deploy', ...DEPLOY('1.2.3')))).toContain('"1.2.3" is no version of this stack')
      await run(0, /^DEPLOYED veza\/production: v1\.2\.3 serves 100 %; [\d,]+ requests, .*\(exit 0\)$/, 'deploy', ...DEPLOY('v1.2.3'))
      expect([await served(), ...images()]).toEqual(['v1.2.3', 'v1.2.3', 'v1.2.3', 'v1.2.3'])
      await run(0, /: 1 backup at /, 'backup-list')
    })

    test('a new version comes under load without a failed request', async () => {
      const { done, sent, failures } = await underLoad({ ...stack.door, path: '/health', pauseMs: 50 }, async () => {
        const ran: Ran[] = []
        lines = await linesIn(stack.site.world, async how => {
          ran.push(await stack.site.play(how, 'deploy', ...DEPLOY('v1.2.4'), '--skip-backup'))
          return ran[0]!
        })
        return ran[0]!
      })
      came(done, 0, /^DEPLOYED veza\/production: v1\.2\.4 serves 100 %; [\d,]+ requests, 0 failed, .*; v1\.2\.3 is ready to come back.*\(exit 0\)$/)
      expect([failures, sent > 200, await served(), ...images()]).toEqual([[], true, 'v1.2.4', 'v1.2.4', 'v1.2.4', 'v1.2.4'])
    })

    test('when one of three crashes, all of them are taken back, and the cause comes first', async () => {
      const flags = ['--set', 'chat-server=v1.2.5-crash', '--set', 'stream-server=v1.2.3', AGREED, '--skip-backup']
      const ran = await run(4, /veza\/production: .*\(exit 4\)$/, 'deploy', ...flags)
      expect(said(ran)).toMatch(/Why chat-server: .*crashed 2 times.*cannot reach the database: connection refused/)
      expect(images()).toEqual(['v1.2.4', 'v1.2.4', 'v1.2.4'])
    })

    test('a rollback takes all three to the release before', async () => {
      await run(0, /^ROLLED BACK veza\/production: v1\.2\.3 serves 100 %; [\d,]+ requests, 0 failed.*\(exit 0\)$/, 'rollback', AGREED)
      expect([await served(), ...images()]).toEqual(['v1.2.3', 'v1.2.3', 'v1.2.3', 'v1.2.3'])
    })

    test('its data are backed up out of the pods, and restored into them after damage, with the application stopped meanwhile', async () => {
      const before = look()
      await run(0, /^DONE veza\/production: backup \S+, [\d,]+ items in .*, read back and equal, .*\(exit 0\)$/, 'backup', '--yes')
      expect(look()).toEqual(before)
      stack.kubectl('exec', 'postgres-0', '--', ...psql(DATABASE, DAMAGE))
      damageRedis(change)
      const damaged = look()
      expect([damaged.database === before.database, damaged.cache === before.cache]).toEqual([false, false])
      await run(0, /^RESTORED veza\/production: database and cache as of .*\(exit 0\)$/, 'restore', '--backup=latest', AGREED)
      expect(look()).toEqual(before)
      const verified = journals(stack.site.world.home)
        .at(-1)
        ?.entries.flatMap(entry => (entry.at === 'verified' ? entry.of : []))
      expect(verified).toEqual(expect.arrayContaining(['writers/stopped', 'swap/database', 'swap/cache', 'writers/running']))
      await eventually(
        () => served().catch(() => 'nothing'),
        version => version === 'v1.2.3',
      )
    })

    test('a second operator hears who is at work; when the first one is lost after the apply, another machine finishes it', async () => {
      const line = lineThatSays(lines, 'verified release.replace/live')
      const first = await stoppedAt(stack.site, line, 'deploy', ...DEPLOY('v1.2.4'), '--skip-backup')
      const elsewhere = { env: { RUNBOOKS_HOME: join(stack.site.world.folder, 'another laptop') } }
      const busy = await stack.site.play(elsewhere, 'rollback', AGREED)
      came(busy, 6, /^BUSY veza\/production: .*\(exit 6\)$/)
      expect((await first.kill()).signal).toBe('SIGKILL')
      const asked = came(await stack.site.play(elsewhere, 'rollback', AGREED), 5, /veza\/production: .*\(exit 5\)$/)
      expect(said(asked)).toMatch(/Unfinished: deploy .*Survivors: none/)
      came(await stack.site.play(elsewhere, 'deploy', '--resume', AGREED), 0, /^DEPLOYED veza\/production: v1\.2\.4 serves 100 %/)
      expect([await served(), ...images()]).toEqual(['v1.2.4', 'v1.2.4', 'v1.2.4', 'v1.2.4'])
    })

    test('a rollback is rehearsed on a copy of the database, with a Redis that stands in; what serves and live data stay as they are', async () => {
      const before = look()
      const last = /^SAFE veza\/production: v1\.2\.3 was healthy and passed 2 smoke tests in .* on a copy of .*\(exit 0\)$/
      await run(0, last, 'rollback', '--rehearse', '--yes')
      expect([look(), await served(), ...images()]).toEqual([before, 'v1.2.4', 'v1.2.4', 'v1.2.4', 'v1.2.4'])
      expect(stack.kubectl('get', 'pods,services,configmaps,secrets', '-l', 'runbooks.dev/rehearsal', '-o', 'name')).toBe('')
    })

    test('the releases are listed, and health is well until a pod is killed for want of memory', async () => {
      const listed = await run(0, /^DONE veza\/production: 4 verified releases; v1\.2\.4 serves.*\(exit 0\)$/, 'releases')
      expect(listed.stdout).toContain('rollback goes')
      const only = ['backend-api', 'chat-server', 'stream-server', 'front door', 'release'].map(name => `--only=${name}`)
      await run(0, /^DONE veza\/production: 5 of 5 healthy.*\(exit 0\)$/, 'health-check', ...only)
      const image = 'testbed.local/veza/stream-server:v1.2.5-oom'
      stack.kubectl('set', 'image', 'deployment/veza-stream-server', `stream-server=${image}`)
      const path = 'jsonpath={.items[*].status.containerStatuses[*].restartCount}'
      await until(() => (/[1-9]/.test(stack.kubectl('get', 'pods', '-l', 'app=veza-stream-server', '-o', path)) ? true : undefined), 120_000)
      const bad = await run(7, /^UNHEALTHY veza\/production: .*\(exit 7\)$/, 'health-check', ...only)
      expect(said(bad)).toMatch(/stream-server: .*killed for want of memory \(OOM\)/)
      expect(await served()).toBe('v1.2.4')
    })
  },
)
