import { setTimeout as sleep } from 'node:timers/promises'
import { stdoutOf } from '../lib/exec/process.ts'
import { count, spent } from '../lib/plan/durations.ts'
import type { Bundle, Platform } from '../lib/platforms/platform.ts'
import { doing, perform, until } from '../test/platforms/conformance/kit.ts'
import { drafted, type KubernetesWorld, kubernetesWorld, put } from '../test/platforms/kubernetes/world.ts'
import { kubectlFile, lookForCluster } from '../test/testbed/kubernetes.ts'
import { crowd } from './crowd.ts'
import { kubectlAlone, type Rival } from './kubernetes-rival.ts'
import { type Fact, failedPull, secondEnd } from './kubernetes-watch.ts'
import { measure, median } from './measure.ts'
import { alarmsRow, type Row } from './rows.ts'

const TRIES = Number(process.env.BENCH_TRIES ?? 20)
/** Times that something is measured which takes long and differs little. */
const FEW = Math.min(5, TRIES)
const ROLLOUTS = Number(process.env.BENCH_ROLLOUTS ?? 5)
const PODS = 300
/** Copies of a file of some 120 MB that are one stream, and how often it is measured. */
const COPIES = 4
const STREAMS = 9
/** Longest time that any rollout may take, in milliseconds: a busy machine must not end the bench. */
const PATIENCE_MS = 180_000

/** Releases on a real cluster, beside kubectl alone; nothing where no cluster is named. */
export async function kubernetes(): Promise<Row[]> {
  const cluster = lookForCluster()
  if (!process.env.TESTBED_KUBECONFIG || !cluster.ok) {
    process.stdout.write(`kubernetes skipped: ${cluster.ok ? 'TESTBED_KUBECONFIG is not set' : cluster.why}\n`)
    return []
  }
  const world = await kubernetesWorld()
  const other = kubectlAlone(world)
  try {
    await world.versions('1.0.0', '1.1.0', '1.2.0-crash', '1.3.0-slow')
    const platform = world.platform()
    await settled(world, platform, '1.0.0')
    await other.apply('1.0.0')
    const rows: Row[] = []
    for (const part of [secondCrash, missingImage, falseAlarms, deployCost, rollback, execStream, lost, facts]) {
      rows.push(await part(world, platform, other))
      process.stdout.write(`${rows.at(-1)?.name}: ${rows.at(-1)?.result}\n`)
    }
    return rows
  } finally {
    other.close()
    await world.close()
  }
}

type Part = (world: KubernetesWorld, platform: Platform, other: Rival) => Promise<Row>

const ready = (platform: Platform, bundle: Bundle, since: string) =>
  until(
    () => platform.verdict(bundle.slot, bundle.release, [], since, doing()),
    seen => seen.is !== 'moving',
    PATIENCE_MS,
  )

/** A release of `web` that has become healthy, and how long it took from its start. */
async function settled(world: KubernetesWorld, platform: Platform, version: string): Promise<{ readonly bundle: Bundle; readonly ms: number }> {
  const began = performance.now()
  const { bundle, since } = await put(world, platform, { web: version })
  const seen = await ready(platform, bundle, since)
  if (seen.is !== 'settled') throw new Error(`${version} is ${seen.is}: ${seen.because}`)
  return { bundle, ms: performance.now() - began }
}

type Bad = {
  readonly version: string
  readonly name: string
  /** Watches for the moment from which the cause can be known. */
  watch(world: KubernetesWorld): Fact
}

/** How long after its cause can be known a bad release is called so. */
const badRelease =
  ({ version, name, watch }: Bad): Part =>
  async (world, platform, other) => {
    const [late, fromStart]: [number[], number[]] = [[], []]
    for (let n = 0; n < TRIES; n += 1) {
      const bundle = await drafted(world, platform, { web: version })
      await perform(platform.stage(bundle))
      const cause = watch(world)
      await sleep(500)
      const since = await platform.time(doing())
      const began = performance.now()
      await perform(platform.start(bundle, []))
      const seen = await ready(platform, bundle, since)
      const at = performance.now()
      if (seen.is !== 'doomed') throw new Error(`${version} was called ${seen.is}`)
      late.push(at - ((await cause.seen()) ?? Number.NaN))
      cause.stop()
      fromStart.push(at - began)
      await settled(world, platform, '1.0.0')
    }
    const alone = await other.waits(version)
    const intime = late.filter(ms => ms <= 2_000).length
    return {
      name: `kubernetes: ${name}`,
      ours: `${spent(Math.max(0, median(late)))}, worst ${spent(Math.max(0, ...late))}`,
      rival: `${alone}; ours ${spent(median(fromStart))} from the start`,
      result: `${intime} of ${TRIES} ≤ 2 s`,
      required: `${TRIES} of ${TRIES}`,
      ok: intime === TRIES,
      figures: { late, alone, fromStart },
    }
  }

const secondCrash = badRelease({ version: '1.2.0-crash', name: 'crash at start to verdict, after its second exit', watch: secondEnd })
const missingImage = badRelease({ version: '9.9.9', name: 'missing image to verdict, after its pull failed', watch: failedPull })

const falseAlarms: Part = async (world, platform) => {
  let alarms = 0
  for (let n = 0; n < TRIES; n += 1) {
    const { bundle, since } = await put(world, platform, { web: '1.3.0-slow' })
    if ((await ready(platform, bundle, since)).is === 'doomed') alarms += 1
    await settled(world, platform, '1.0.0')
  }
  return alarmsRow('kubernetes: slow but good rollouts called doomed', alarms, TRIES)
}

const deployCost: Part = async (world, platform, other) => {
  const [ours, raw]: [number[], number[]] = [[], []]
  for (let n = 0; n < FEW; n += 1) {
    const version = n % 2 === 0 ? '1.1.0' : '1.0.0'
    ours.push((await settled(world, platform, version)).ms)
    raw.push(await other.apply(version))
  }
  const over = median(ours.map((ms, n) => ms - (raw[n] ?? 0)))
  return {
    name: 'kubernetes: deploy, from its start until it is known to be good',
    ours: spent(median(ours)),
    rival: `kubectl apply -k, rollout status: ${spent(median(raw))}`,
    result: over < 0 ? `−${spent(-over)}` : `+${spent(over)}`,
    required: '≤ 1.5 s over',
    ok: over <= 1_500,
    figures: { ours, raw, over },
  }
}

/** Until the front door gives nothing but this version, ten times in a row. */
async function served(door: string, version: string): Promise<void> {
  let right = 0
  await until(
    async () => {
      const response = await fetch(door, { headers: { connection: 'close' } }).catch(() => undefined)
      await response?.arrayBuffer()
      right = response?.headers.get('x-version') === version ? right + 1 : 0
      return right
    },
    n => n >= 10,
    PATIENCE_MS,
  )
}

const rollback: Part = async (world, platform, other) => {
  const [ours, raw]: [number[], number[]] = [[], []]
  for (let n = 0; n < FEW; n += 1) {
    const old = await settled(world, platform, '1.0.0')
    await settled(world, platform, '1.1.0')
    const since = await platform.time(doing())
    const began = performance.now()
    await perform(platform.start(old.bundle, []))
    const [seen] = await Promise.all([ready(platform, old.bundle, since), served(world.door, '1.0.0')])
    if (seen.is !== 'settled') throw new Error(`going back is ${seen.is}: ${seen.because}`)
    ours.push(performance.now() - began)
    raw.push(await other.undo())
  }
  const over = median(ours.map((ms, n) => ms - (raw[n] ?? 0)))
  return {
    name: 'kubernetes: rollback, from confirm until it serves',
    ours: spent(median(ours)),
    rival: `kubectl rollout undo, rollout status (the start of the pods): ${spent(median(raw))}`,
    result: over < 0 ? `−${spent(-over)}` : `+${spent(over)}`,
    required: '≤ 2.0 s over',
    ok: over <= 2_000,
    figures: { ours, raw, over },
  }
}

/** Reads everything, and throws it away. */
const READER = ['sh', '-c', '"$@" | cat > /dev/null', 'sh'] as const
/** Nobody reads: the kernel throws it away before it has come anywhere. */
const NO_READER = ['sh', '-c', 'exec "$@" > /dev/null', 'sh'] as const

const execStream: Part = async (world, platform) => {
  const [ours, raw, unread]: [number[], number[], number[]] = [[], [], []]
  const files = Array.from({ length: COPIES }, () => process.execPath)
  // Both ask for the workload: a pod that was found a moment ago may be on its way out.
  const argv = ['--kubeconfig', world.on.kubeconfig, '-n', world.namespace, 'exec', 'deployment/web', '--', 'cat', ...files]
  const rival = async ([file, ...words]: readonly string[]) => (await measure(file ?? '', [...words, kubectlFile() ?? 'kubectl', ...argv])).ms
  let bytes = 0
  for (let n = 0; n < STREAMS; n += 1) {
    const began = performance.now()
    bytes = 0
    const stream = stdoutOf(platform.inside('web', { file: 'cat', argv: files }, { input: false }), doing(), { lend: true })
    for await (const chunk of stream) bytes += chunk.length
    ours.push(performance.now() - began)
    raw.push(await rival(READER))
    unread.push(await rival(NO_READER))
  }
  const over = (other: readonly number[]) => median(ours.map((ms, n) => (other[n] ?? 0) / ms))
  const speed = (all: readonly number[]) => `${Math.round(bytes / 1_048_576 / (median(all) / 1_000))} MiB/s`
  return {
    name: 'kubernetes: stream out of a pod',
    ours: speed(ours),
    rival: `kubectl exec … cat, read by cat: ${speed(raw)}; into /dev/null, ${over(unread).toFixed(2)} x: ${speed(unread)}`,
    result: `${over(raw).toFixed(2)} x`,
    required: '≥ 0.9 x',
    ok: over(raw) >= 0.9,
    figures: { ours, raw, unread, bytes },
  }
}

const lost: Part = async (world, platform) => {
  const users = crowd(world.door, 16)
  for (let n = 0; n < ROLLOUTS; n += 1) await settled(world, platform, n % 2 === 0 ? '1.1.0' : '1.0.0')
  // Until the pods of the last one have ended, too.
  await sleep(10_000)
  const { asked, failed } = await users.goHome()
  return {
    name: `kubernetes: requests lost over ${ROLLOUTS} rollouts`,
    ours: `${count(failed)} of ${count(asked)}`,
    rival: '',
    result: String(failed),
    required: '0',
    ok: failed === 0,
    figures: { asked, failed },
  }
}

/** Last, because nothing else should be measured beside so many pods. */
const facts: Part = async (world, platform) => {
  const pods = Array.from({ length: PODS }, (_, n) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `idle-${n}`, namespace: world.namespace, labels: { app: 'idle' } },
    // No scheduler has this name, so they stay as they are.
    spec: {
      schedulerName: 'nobody',
      securityContext: RESTRICTED,
      containers: [{ name: 'idle', image: 'nowhere.invalid/idle:1', securityContext: SAFE }],
    },
  }))
  world.on.kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: pods }))
  const [ours, raw]: [number[], number[]] = [[], []]
  for (let n = 0; n < Math.max(3, FEW); n += 1) {
    const began = performance.now()
    await Promise.all([platform.facts(doing()), platform.standing(doing())])
    ours.push(performance.now() - began)
    raw.push(
      (await measure(kubectlFile() ?? 'kubectl', ['--kubeconfig', world.on.kubeconfig, '-n', world.namespace, 'get', 'pods', '-o', 'json'])).ms,
    )
  }
  // In one request; kubectl alone would take a minute.
  world.on.kubectl(['delete', '--raw', `/api/v1/namespaces/${world.namespace}/pods?labelSelector=app%3Didle`])
  return {
    name: `kubernetes: facts of a namespace with ${PODS} pods`,
    ours: spent(median(ours)),
    rival: `kubectl get pods -o json alone: ${spent(median(raw))}`,
    result: spent(median(ours)),
    required: '≤ 1.0 s',
    ok: median(ours) <= 1_000,
    figures: { ours, raw },
  }
}

const RESTRICTED = { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } }
const SAFE = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }
