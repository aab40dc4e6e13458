import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { until } from '../test/platforms/conformance/kit.ts'
import type { KubernetesWorld } from '../test/platforms/kubernetes/world.ts'
import { kubectlFile } from '../test/testbed/kubernetes.ts'

/** Something that is told of pods: when it was seen first. */
export type Fact = { seen(): Promise<number | undefined>; stop(): void }

/**
 * When a pod of `web` that was not there before first had this in its status, as one who watches pods is told, in milliseconds of this process;
 * undefined until then.
 */
function firstTold(world: KubernetesWorld, columns: string, is: (values: readonly string[]) => boolean): Fact {
  const argv = ['--kubeconfig', world.on.kubeconfig, '-n', world.namespace, 'get', 'pods', '-l', 'app=web', '--no-headers']
  const before = new Set(world.on.kubectl([...argv.slice(2), '-o', 'custom-columns=N:.metadata.name']).split(/\s+/))
  const custom = `custom-columns=N:.metadata.name,${columns}`
  const child = spawn(kubectlFile() ?? 'kubectl', [...argv, '-o', custom, '--watch-only'], { stdio: ['ignore', 'pipe', 'ignore'] })
  let at: number | undefined
  createInterface({ input: child.stdout }).on('line', line => {
    const [name = '', ...values] = line.trim().split(/\s+/)
    if (!before.has(name) && is(values)) at ??= performance.now()
  })
  // Who looks may be told before who watches is.
  const seen = () =>
    until(
      async () => at,
      ms => ms !== undefined,
    )
  return { seen, stop: () => void child.kill() }
}

const STATUS = '.status.containerStatuses[0]'

/** When `web` ended for the second time. */
export const secondEnd = (world: KubernetesWorld) =>
  firstTold(
    world,
    `R:${STATUS}.restartCount,T:${STATUS}.state.terminated.finishedAt`,
    ([restarts, ended]) => Number(restarts) + (ended === '<none>' ? 0 : 1) >= 2,
  )

/** When a pull of the image of `web` failed first. */
export const failedPull = (world: KubernetesWorld) =>
  firstTold(world, `W:${STATUS}.state.waiting.reason`, ([reason]) => reason === 'ErrImagePull' || reason === 'ImagePullBackOff')
