import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { door, until as eventually, through } from '../k8s/stand.ts'
import { type Line, linesIn, lineThatSays } from '../releases/points.ts'
import { underLoad } from '../releases/runs.ts'
import { faultTable } from '../runbooks/faults.ts'
import { journals, type Ran } from '../runbooks/kit.ts'
import { until } from '../runbooks/waiting.ts'
import { describeWith, type Minio, minio } from '../testbed/index.ts'
import { addressed, damageMongo, fillMongo, lookMongo } from './data.ts'
import { type KubernetesStack, kubernetesStack, stoppedAt } from './releases/kubernetes.ts'
import { came, ends, said } from './releases/said.ts'

// Pods start and end, and other test files run beside it.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const DATABASE = 'checkin'
const COLLECTIONS = ['guests', 'events'] as const
const VERSIONS = ['1.4.0', '1.4.1', '1.4.2', '1.4.3-crash'] as const

describeWith(
  ['kubernetes', 'mongodb', 'mongodb-tools', 'redis', 's3', 'zstd'],
  'check-in on a cluster, deployed by the account of CI (stand-ins; FerretDB for MongoDB), backups on S3 (MinIO)',
  () => {
    if (door() === undefined) return void test.skip('releases of check-in (skipped, needs TESTBED_CLUSTER_DOOR)', () => {})
    const { row, known, made } = faultTable('Releases on Kubernetes')
    let stack: KubernetesStack
    let store: Minio
    let root: { readonly user: string; readonly password: string }
    let lines: readonly Line[]

    beforeAll(async () => {
      store = await minio()
      const bucket = await store.bucket('checkin-backups')
      stack = await kubernetesStack({
        stack: 'check-in',
        environment: 'staging',
        versions: VERSIONS,
        layers: ['setup'],
        routes: [
          { path: '/api', service: 'backend', port: 3001 },
          { path: '/', service: 'frontend', port: 3000 },
        ],
        // Fewer requests than elsewhere: on a machine that does other things besides, the recorder itself would make answers slow.
        replace: {
          "bake: '1min'": "bake: '3s', probe: { path: '/api/v1/health', perSecond: 20 }",
          's3({': `s3({ endpoint: '${store.endpoint}', forcePathStyle: true,`,
        },
        settings({ 'mongodb-secrets': secrets }) {
          root = { user: secrets?.MONGO_ROOT_USERNAME ?? '', password: secrets?.MONGO_ROOT_PASSWORD ?? '' }
          return {
            EVENT_DAY_FREEZE: 'false',
            // The one member by its own address: a cluster of tests may have no DNS.
            MONGODB_URI: example => addressed(example, { port: 27_017, ...root }),
            S3_BUCKET: bucket,
            AWS_REGION: store.region,
            AWS_ACCESS_KEY_ID: store.accessKey,
            AWS_SECRET_ACCESS_KEY: store.secretKey,
            SLACK_WEBHOOK_URL: 'http://127.0.0.1:9/hook',
          }
        },
      })
    })
    afterAll(async () => {
      stack?.end()
      await store?.stop()
    })

    const run = (exit: number, last: RegExp, runbook: string, ...flags: string[]) => ends(stack.site, exit, last, runbook, ...flags)
    const versionAt = async (path: string) => JSON.parse((await through(stack.door.headers.host ?? '', path)).text).version
    const served = async () => [await versionAt('/api/v1/health'), await versionAt('/')]
    const DEPLOY = (version: string) => [`--version=${version}`, '--yes']
    const fault = (name: string, command: string, ran: Ran, stood: string) => row(name, command, ran, stood, stack.site.world)

    test('the first deploy brings the databases, and both services to serve', async () => {
      await run(0, /^DEPLOYED check-in\/staging: 1\.4\.0 serves 100 %; [\d,]+ requests, .*\(exit 0\)$/, 'deploy', ...DEPLOY('1.4.0'))
      expect(await served()).toEqual(['1.4.0', '1.4.0'])
      expect(stack.kubectl('get', 'statefulset/mongodb', 'deployment/redis', '-o', 'name').split('\n')).toHaveLength(3)
    })

    test('a new version of both comes under load without a failed request', async () => {
      const { done, sent, failures } = await underLoad({ ...stack.door, path: '/api/v1/health', pauseMs: 50 }, async () => {
        const ran: Ran[] = []
        lines = await linesIn(stack.site.world, async how => {
          ran.push(await stack.site.play(how, 'deploy', '--set', 'backend=1.4.1', '--set', 'frontend=1.4.1', '--yes'))
          return ran[0]!
        })
        return ran[0]!
      })
      came(done, 0, /^DEPLOYED check-in\/staging: 1\.4\.1 serves 100 %; [\d,]+ requests, 0 failed, .*; 1\.4\.0 is ready to come back.*\(exit 0\)$/)
      expect([failures, sent > 200]).toEqual([[], true])
      expect(await served()).toEqual(['1.4.1', '1.4.1'])
    })

    test('a backend that crashes is taken back, and the cause comes first', async () => {
      const ran = await run(4, /check-in\/staging: .*\(exit 4\)$/, 'deploy', '--set', 'backend=1.4.3-crash', '--yes')
      expect(said(ran)).toMatch(/Why backend: .*crashed 2 times.*cannot reach the database: connection refused/)
      expect(await served()).toEqual(['1.4.1', '1.4.1'])
      fault('a version that crashes', 'deploy --set backend=1.4.3-crash', ran, 'the version before serves; no requests failed')
    })

    test('an image that nobody has is refused before anything changes', async () => {
      const ran = await run(3, /^REFUSED check-in\/staging: .*\(exit 3\)$/, 'deploy', '--set', 'backend=1.9.9', '--yes')
      // The name in front is the account of the store as well, and so hidden wherever it is said.
      expect(said(ran)).toContain('/check-in/backend:1.9.9 is')
      fault('an image that no node can fetch', 'deploy --set backend=1.9.9', ran, 'nothing changed')
    })

    test('on the day of an event nothing is deployed, unless DEPLOY is typed', async () => {
      const frozen = { env: { EVENT_DAY_FREEZE: 'true' } }
      const ran = came(await stack.site.play(frozen, 'deploy', ...DEPLOY('1.4.2')), 3, /^REFUSED check-in\/staging: .*\(exit 3\)$/)
      expect(said(ran)).toContain('check-in/staging is frozen: event day (EVENT_DAY_FREEZE is set)')
      fault('a freeze', 'deploy --version=1.4.2', ran, 'nothing changed')
      const typed = await stack.site.play(frozen, 'deploy', ...DEPLOY('1.4.2'), '--override-freeze=DEPLOY')
      came(typed, 0, /^DEPLOYED check-in\/staging: 1\.4\.2 serves 100 %; [\d,]+ requests, 0 failed/)
    })

    test('a rollback takes both services to the release before', async () => {
      await run(0, /^ROLLED BACK check-in\/staging: 1\.4\.1 serves 100 %; [\d,]+ requests, 0 failed.*\(exit 0\)$/, 'rollback', '--yes')
      expect(await served()).toEqual(['1.4.1', '1.4.1'])
    })

    test('its data are backed up out of the pod, and restored into it after damage, with the application stopped meanwhile', async () => {
      const inPod = <T>(work: (mongo: { port: number; user: string; password: string }) => Promise<T>) =>
        stack.through('mongodb-0', 27_017, port => work({ port, ...root }))
      const look = () => inPod(mongo => lookMongo(mongo, DATABASE))
      await inPod(mongo => fillMongo(mongo, DATABASE, COLLECTIONS))
      const before = await look()
      await run(0, /^DONE check-in\/staging: backup \S+, 502 items in .*, read back and equal, .*\(exit 0\)$/, 'backup', '--yes')
      await inPod(mongo => damageMongo(mongo, DATABASE, COLLECTIONS))
      const damaged = await look()
      expect([before.includes('guests 500 '), damaged.includes('guests 100 '), damaged.includes('events')]).toEqual([true, true, false])
      await run(0, /^RESTORED check-in\/staging: database as of .*\(exit 0\)$/, 'restore', '--backup=latest', '--yes')
      expect(await look()).toBe(before)
      const verified = journals(stack.site.world.home)
        .at(-1)
        ?.entries.flatMap(entry => (entry.at === 'verified' ? entry.of : []))
      expect(verified).toEqual(expect.arrayContaining(['writers/stopped', 'swap/database', 'writers/running']))
      await eventually(
        () => served().catch(() => []),
        versions => versions.join() === '1.4.1,1.4.1',
      )
    })

    test('a second operator hears who is at work; when the first one is lost, another machine finishes it', async () => {
      const first = await stoppedAt(stack.site, lineThatSays(lines, 'intent release.replace/live'), 'deploy', ...DEPLOY('1.4.2'))
      const elsewhere = { env: { RUNBOOKS_HOME: join(stack.site.world.folder, 'another laptop') } }
      const busy = came(await stack.site.play(elsewhere, 'deploy', ...DEPLOY('1.4.0')), 6, /^BUSY check-in\/staging: .*\(exit 6\)$/)
      fault('two operators at once', 'deploy --version=1.4.0', busy, 'the first goes on')
      expect((await first.kill()).signal).toBe('SIGKILL')
      const asked = came(await stack.site.play(elsewhere, 'deploy', ...DEPLOY('1.4.0')), 5, /check-in\/staging: .*\(exit 5\)$/)
      expect(said(asked)).toMatch(/Unfinished: deploy .*Survivors: none/)
      fault(
        'SIGKILL once the start is announced, then another operator',
        'deploy --version=1.4.0',
        asked,
        'the version before serves; nothing changed',
      )
      const resumed = came(await stack.site.play(elsewhere, 'deploy', '--resume', '--yes'), 0, /^DEPLOYED check-in\/staging: 1\.4\.2 serves 100 %/)
      fault('SIGKILL once the start is announced, settled from another machine', 'deploy --resume', resumed, 'the new version serves')
      expect(await served()).toEqual(['1.4.2', '1.4.2'])
    })

    test('the releases are listed, and health is well until a pod cannot start', async () => {
      const listed = await run(0, /^DONE check-in\/staging: 5 verified releases; 1\.4\.2 serves.*\(exit 0\)$/, 'releases')
      expect(listed.stdout).toContain('rollback goes')
      const only = ['backend', 'frontend', 'front door', 'release'].map(name => `--only=${name}`)
      await run(0, /^DONE check-in\/staging: 4 of 4 healthy.*\(exit 0\)$/, 'health-check', ...only)
      stack.kubectl('set', 'image', 'deployment/backend', 'backend=testbed.local/check-in/backend:1.9.9')
      const look = () =>
        stack.kubectl('get', 'pods', '-l', 'app=backend', '-o', 'jsonpath={.items[*].status.containerStatuses[*].state.waiting.reason}')
      await until(() => (/ErrImagePull|ImagePullBackOff/.test(look()) ? true : undefined), 60_000)
      const bad = await run(7, /^UNHEALTHY check-in\/staging: .*\(exit 7\)$/, 'health-check', ...only)
      expect(said(bad)).toMatch(/backend: .*\/check-in\/backend:1\.9\.9/)
      fault('somebody sets an image that is not there by hand', 'health-check', bad, 'nothing changed; the old pods serve')
      expect(await versionAt('/api/v1/health')).toBe('1.4.2')
    })

    test('every row of the table was made', () => {
      if (!process.env.UPDATE_FAULTS) expect(made()).toEqual(known())
    })
  },
)
