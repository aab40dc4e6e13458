import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { feed, mustRun, prints, run, stdoutOf } from '../../lib/exec/process.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import type { Bundle, Platform } from '../../lib/platforms/platform.ts'
import { describeWith } from '../testbed/index.ts'
import { doing, judged, perform, started, until } from './conformance/kit.ts'
import { drafted, type KubernetesWorld, kubernetesWorld, put } from './kubernetes/world.ts'

const LONG = 120_000
const MB_50 = 50 * 1024 * 1024

describeWith(['kubernetes', 'registry'], 'Kubernetes when something is in the way', () => {
  let world: KubernetesWorld
  let platform: Platform
  let good: Bundle
  const kubectl = (...argv: readonly string[]) => world.on.kubectl(['-n', world.namespace, ...argv])
  /** The same namespace, entered by an account that a role of the cluster is given to there. */
  const enteredBy = (account: string, role: string): Platform => {
    kubectl('create', 'serviceaccount', account)
    kubectl('create', 'rolebinding', account, `--clusterrole=${role}`, `--serviceaccount=${world.namespace}:${account}`)
    const token = kubectl('create', 'token', account).trim()
    const kubeconfig = world.kubeconfig(config => {
      config.users[0]!.user = { token }
    })
    return world.platform({ kubeconfig })
  }
  const settled = async (versions: Readonly<Record<string, string>>) => {
    const { bundle, since } = await put(world, platform, versions)
    expect(await judged(platform, bundle, since)).toMatchObject({ is: 'settled' })
    return bundle
  }

  beforeAll(async () => {
    world = await kubernetesWorld()
    platform = world.platform()
    await world.versions('1.0.0', '1.1.0')
    good = await settled({})
  }, LONG)
  afterAll(() => world.close(), LONG)

  describe('who we are and where we are led', () => {
    test('a kubeconfig that leads to another cluster is refused by the facts and by everything else, and nothing is changed', async () => {
      const other = world.platform({ cluster: 'https://10.1.2.3:6443' })
      const facts = await other.facts(doing())
      expect(facts).toMatchObject({ state: 'denied', because: expect.stringContaining(`leads to ${world.on.server}, not to https://10.1.2.3:6443`) })
      await expect(perform(other.stop('live'))).rejects.toMatchObject({ exit: 3 })
      await expect(other.cell('release').write('x', '')).rejects.toMatchObject({ exit: 3 })
      await expect(run(other.inside('web', { file: 'true', argv: [] }, { input: false }), doing())).rejects.toMatchObject({ exit: 3 })
      expect(await platform.slot('live', doing())).toMatchObject({ release: good.release, is: 'running' })
    })

    test('a context that is not there, and a kubeconfig that is not there, are refused in kubectl’s words', async () => {
      expect(await world.platform({ context: 'no-such' }).facts(doing())).toMatchObject({
        state: 'denied',
        because: expect.stringContaining('no-such'),
      })
      expect(await world.platform({ kubeconfig: '/no/such/file' }).facts(doing())).toMatchObject({
        state: 'denied',
        because: expect.stringContaining('/no/such/file'),
      })
    })

    test('the current context may change in the middle: what has begun stays with its own', async () => {
      const file = world.kubeconfig(() => {})
      const own = world.platform({ kubeconfig: file })
      expect((await own.facts(doing())).state).toBe('answers')
      world.on.kubectl(['--kubeconfig', file, 'config', 'set-context', 'elsewhere', '--cluster=nowhere'])
      world.on.kubectl(['--kubeconfig', file, 'config', 'use-context', 'elsewhere'])
      expect((await mustRun(own.inside('web', { file: 'echo', argv: ['here'] }, { input: false }), doing())).stdout).toBe('here\n')
    })

    test('the text of a kubeconfig is kept in a private file, and only as long as it is needed', async () => {
      const given = world.kubeconfig(() => {})
      const own = world.platform({ kubeconfig: new Secret('KUBE_CONFIG', readFileSync(given, 'utf8')) })
      const command = own.inside('web', { file: 'echo', argv: ['here'] }, { input: false })
      expect((await mustRun(command, doing())).stdout).toBe('here\n')
      const file = command.argv[1] ?? ''
      expect(statSync(file).mode & 0o777).toBe(0o600)
      expect(statSync(dirname(file)).mode & 0o777).toBe(0o700)
      expect(prints(command)).not.toContain(file)
      // It is never written over: who reads it meanwhile would find half a file, and no cluster in it.
      const written = statSync(file).mtimeMs
      expect(await own.slot('live', doing())).toMatchObject({ release: good.release })
      expect((await mustRun(command, doing())).stdout).toBe('here\n')
      expect(statSync(file).mtimeMs).toBe(written)
      await own.close?.()
      expect(existsSync(dirname(file))).toBe(false)
      // Whoever goes on after that gets it again.
      expect(await own.slot('live', doing())).toMatchObject({ release: good.release })
    })

    test('an account that may only read is told what it may not, before anything is tried', async () => {
      const reader = enteredBy('reader', 'view')
      const facts = await reader.facts(doing())
      expect(facts).toMatchObject({ state: 'denied', because: expect.stringMatching(/may not get secrets, create secrets.*patch deployments/) })
      // What it may read, it sees.
      expect(await reader.slot('live', doing())).toMatchObject({ release: good.release })
    })

    test(
      'a token that has ended in the middle is told from a cluster that is away',
      async () => {
        const brief = enteredBy('brief', 'admin')
        expect(await brief.facts(doing())).toMatchObject({ state: 'answers' })
        kubectl('delete', 'serviceaccount', 'brief')
        const facts = await until(
          () => brief.facts(doing()),
          ({ state }) => state !== 'answers',
        )
        expect(facts).toMatchObject({ state: 'denied', because: expect.stringContaining('the token is expired or not valid') })
      },
      LONG,
    )

    test(
      'an API server that goes away in the middle and comes back within seconds is waited for',
      async () => {
        const to = new URL(world.on.server)
        const open = new Set<Socket>()
        const forward = createServer(socket => {
          const up = connect(Number(to.port), to.hostname)
          for (const one of [socket, up]) open.add(one.on('error', () => one.destroy()).on('close', () => open.delete(one)))
          socket.pipe(up).pipe(socket)
        })
        const listen = (port: number) =>
          new Promise<number>(resolve => forward.listen(port, '127.0.0.1', () => resolve((forward.address() as { port: number }).port)))
        const port = await listen(0)
        const address = `https://127.0.0.1:${port}`
        const file = world.kubeconfig(config => {
          Object.assign(config.clusters[0]!.cluster, { server: address, 'tls-server-name': to.hostname })
        })
        const far = world.platform({ cluster: address, kubeconfig: file })
        expect(await far.slot('live', doing())).toMatchObject({ release: good.release })
        const closed = new Promise(resolve => forward.close(resolve))
        for (const one of open) one.destroy()
        await closed
        const looking = far.slot('live', doing())
        await new Promise(resolve => setTimeout(resolve, 2_000))
        await listen(port)
        expect(await looking).toMatchObject({ release: good.release })
        await far.close?.()
        forward.close()
        for (const one of open) one.destroy()
      },
      LONG,
    )
  })

  describe('what others change', () => {
    test(
      'a field that somebody else has set is a conflict that names them; nothing of the release is applied',
      async () => {
        const bundle = await drafted(world, platform, { web: '1.1.0' })
        await perform(platform.stage(bundle))
        const theirs = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec: { replicas: 3 } }
        world.on.kubectl(
          ['-n', world.namespace, 'apply', '--server-side', '--field-manager=somebody', '--force-conflicts', '-f', '-'],
          JSON.stringify(theirs),
        )
        await expect(perform(platform.start(bundle, []))).rejects.toMatchObject({
          exit: 3,
          message: expect.stringMatching(/somebody.*\.spec\.replicas/s),
        })
        expect(await platform.slot('live', doing())).toMatchObject({ release: good.release })
        const back = { ...theirs, spec: { replicas: 2 } }
        world.on.kubectl(
          ['-n', world.namespace, 'apply', '--server-side', '--field-manager=somebody', '--force-conflicts', '-f', '-'],
          JSON.stringify(back),
        )
        good = await settled({ web: '1.1.0' })
      },
      LONG,
    )

    test(
      'an image that was changed by hand shows as what it is, and is not overwritten',
      async () => {
        kubectl('set', 'image', 'deployment/worker', `worker=${world.repository}/worker:1.1.0`)
        expect((await platform.slot('live', doing())).services.worker).toMatchObject({ version: '1.1.0' })
        await expect(started(platform, await drafted(world, platform, {}))).rejects.toMatchObject({
          exit: 3,
          message: expect.stringContaining('kubectl-set'),
        })
        kubectl('set', 'image', 'deployment/worker', `worker=${world.repository}/worker:1.0.0`)
      },
      LONG,
    )

    test(
      'a service that does not change is not restarted; one whose secret has changed is',
      async () => {
        const uids = () =>
          kubectl('get', 'pods', '-l', 'app=worker', '--field-selector=status.phase=Running', '-o', 'jsonpath={.items[*].metadata.uid}')
        kubectl('rollout', 'status', 'deployment/worker', '--timeout=60s')
        const before = await until(
          async () => uids(),
          text => text !== '' && !text.includes(' '),
        )
        good = await settled({ web: good.services.web?.version === '1.1.0' ? '1.0.0' : '1.1.0' })
        expect(uids()).toBe(before)
        kubectl('patch', 'secret', 'shop-secrets', '-p', JSON.stringify({ stringData: { TOKEN: 'another value' } }))
        const now = await platform.draft(doing())
        expect(now.secrets).not.toEqual(good.secrets)
        expect(JSON.stringify(now)).not.toContain(Buffer.from('another value').toString('base64'))
        const web = kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].metadata.uid}')
        good = await settled({ web: good.services.web?.version ?? '' })
        const left = async () => kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].metadata.uid}')
        const gone = (text: string) => web.split(' ').every(uid => !text.includes(uid))
        expect(gone(await until(left, gone))).toBe(true)
      },
      LONG,
    )

    test(
      'objects that are gone from a release stay until it is tidied, and then only those go',
      async () => {
        const more = [
          { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'extra', labels: { 'runbooks.dev/layer': 'release' } }, data: { a: 'b' } },
        ]
        const data = [
          { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'of-the-database', labels: { 'runbooks.dev/layer': 'data' } }, data: { a: 'b' } },
        ]
        world.overlay({ more: [...more, ...data] })
        const first = await settled({})
        world.overlay()
        good = await settled({})
        expect(kubectl('get', 'configmap', 'extra', '-o', 'name')).toContain('extra')
        expect((await platform.surplus([good, first], doing())).join()).toContain('ConfigMap/extra')
        await perform(platform.tidy([good, first]))
        expect(world.on.tries(['-n', world.namespace, 'get', 'configmap', 'extra']).exit).toBe(1)
        expect(kubectl('get', 'configmap', 'of-the-database', '-o', 'name')).toContain('of-the-database')
        expect(await platform.surplus([good, first], doing())).toEqual([])
      },
      LONG,
    )
  })

  describe('what is not valid', () => {
    test(
      'a kustomization that refers to nothing, an overlay for another namespace, and a field that no server knows',
      async () => {
        const refuses = async (other: Parameters<KubernetesWorld['overlay']>[0], says: RegExp) => {
          world.overlay(other)
          await expect(platform.draft(doing())).rejects.toMatchObject({ exit: 3, message: expect.stringMatching(says) })
        }
        await refuses({ spec: { replicas: 'many' } }, /server would refuse.*replicas/s)
        await refuses({ more: [{ apiVersion: 'v1', kind: 'ConfigMap' }] }, /cannot be rendered.*missing metadata.name/s)
        await refuses(
          { container: { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'shop-secrets', key: 'NONE' } } }] } },
          /key NONE of the Secret shop-secrets/,
        )
        await refuses({ container: { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'none', key: 'A' } } }] } }, /needs the Secret none/)
        world.overlay()
        const there = world.platform({ overlay: '/no/such/overlay' })
        await expect(there.draft(doing())).rejects.toMatchObject({ exit: 3, message: 'There is no overlay /no/such/overlay' })
      },
      LONG,
    )
  })

  describe('commands inside', () => {
    test(
      '50 MB come out whole, and the exit code is the command’s own',
      async () => {
        const there = platform.inside('web', { file: 'head', argv: ['-c', String(MB_50), process.execPath] }, { input: false })
        const [here, came] = [createHash('sha256'), createHash('sha256')]
        for await (const chunk of createReadStream(process.execPath, { end: MB_50 - 1 })) here.update(chunk as Buffer)
        for await (const chunk of stdoutOf(there, doing())) came.update(chunk)
        expect(came.digest('hex')).toBe(here.digest('hex'))
        const failed = await run(platform.inside('web', { file: 'sh', argv: ['-c', 'echo no >&2; exit 7'] }, { input: false }), doing())
        expect(failed).toMatchObject({ code: 7, stderr: expect.stringContaining('no') })
      },
      LONG,
    )

    test(
      '50 MB go in whole, after a secret that is on no command line',
      async () => {
        const bytes = randomBytes(MB_50)
        const secrets = { PASSWORD: new Secret('PASSWORD', 'horse\nbattery') }
        const script = 'printf "%s %s " "$PASSWORD" "$A"; sha256sum'
        const command = platform.inside('web', { file: 'sh', argv: ['-c', script], env: { A: 'b' } }, { input: true, secrets })
        async function* chunks() {
          for (let at = 0; at < bytes.length; at += 65_536) yield Buffer.from(bytes.subarray(at, at + 65_536))
        }
        const { stdout } = await feed(command, chunks(), doing())
        expect(stdout).toContain(createHash('sha256').update(bytes).digest('hex'))
        expect(stdout).toContain('horse\nbattery b ')
        expect(command.argv.join(' ')).not.toContain('battery')
      },
      LONG,
    )
  })
})
