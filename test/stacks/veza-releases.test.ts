import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { door, through } from '../k8s/stand.ts'
import { type Line, linesIn, lineThatSays } from '../releases/points.ts'
import { underLoad } from '../releases/runs.ts'
import type { Ran } from '../runbooks/kit.ts'
import { until } from '../runbooks/waiting.ts'
import { describeWith, type Minio, minio } from '../testbed/index.ts'
import { type KubernetesStack, kubernetesStack, stoppedAt } from './releases/kubernetes.ts'
import { came, ends, said } from './releases/said.ts'

// Pods start and end, and other test files run beside it.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const AGREED = '--confirm=veza/production'
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
          DATABASE_URL: `postgres://veza_user:${secrets?.DB_PASSWORD}@127.0.0.1:5432/veza_staging`,
          DB_NAME: 'veza_staging',
          REDIS_URL: `redis://:${secrets?.REDIS_PASSWORD}@127.0.0.1:6379`,
          S3_BUCKET: bucket,
          AWS_REGION: store.region,
          AWS_ACCESS_KEY_ID: store.accessKey,
          AWS_SECRET_ACCESS_KEY: store.secretKey,
          SLACK_WEBHOOK_URL: 'http://127.0.0.1:9/hook',
        }),
      })
      for (const name of ['postgres', 'redis']) stack.kubectl('rollout', 'status', `statefulset/${name}`, '--timeout=200s')
      const inside = (pod: string, script: string) => stack.kubectl('exec', pod, '--', 'sh', '-c', script)
      inside('postgres-0', 'psql -q -U veza_user -d veza_staging -c "CREATE TABLE tracks AS SELECT n FROM generate_series(1, 100) AS n"')
      inside('redis-0', 'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli set session:1 x')
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
