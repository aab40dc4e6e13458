import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spent } from '../lib/plan/durations.ts'
import { writeOverlay } from '../test/platforms/kubernetes/overlay.ts'
import type { KubernetesWorld } from '../test/platforms/kubernetes/world.ts'
import { kubectlFile } from '../test/testbed/kubernetes.ts'

/** Longest time that `kubectl rollout status` is listened to. */
const LISTENED = '40s'

/** kubectl alone, as people use it: the same stack in a namespace of its own. Times are in milliseconds. */
export type Rival = {
  /** `kubectl apply -k` of a version of `web`, and `rollout status` until it is there. */
  apply(version: string): Promise<number>
  /** `kubectl rollout undo`, and `rollout status`. */
  undo(): Promise<number>
  /** What `rollout status` says of a version that never comes, and when; `rollout undo` afterwards. */
  waits(version: string): Promise<string>
  close(): void
}

/** Makes the rival's namespace; nothing runs in it yet. */
export function kubectlAlone(world: KubernetesWorld): Rival {
  const space = world.on.namespace('rival')
  const work = mkdtempSync(join(tmpdir(), 'rival-'))
  const folder = join(work, 'overlay')
  writeOverlay(folder, space.name, world.repository, 32_600 + Math.floor(Math.random() * 100))
  world.on.kubectl(['-n', space.name, 'create', 'secret', 'generic', 'shop-secrets', '--from-literal=TOKEN=one two three'])
  const objects = join(folder, 'objects.yaml')
  const plain = readFileSync(objects, 'utf8')
  const kubectl = (...argv: readonly string[]) => timed(['--kubeconfig', world.on.kubeconfig, '-n', space.name, ...argv])
  const put = (version: string) => {
    writeFileSync(objects, plain.replaceAll(`${world.repository}/web:1.0.0`, `${world.repository}/web:${version}`))
    return kubectl('apply', '-k', folder)
  }
  const status = (limit: string) => kubectl('rollout', 'status', 'deployment/web', `--timeout=${limit}`)
  const undone = async () => {
    const [undo, there] = [await kubectl('rollout', 'undo', 'deployment/web'), await status('180s')]
    if (there.code !== 0) throw new Error(`kubectl rollout undo: ${there.said}`)
    return undo.ms + there.ms
  }
  return {
    async apply(version) {
      const [apply, there] = [await put(version), await status('180s')]
      if (there.code !== 0) throw new Error(`kubectl apply -k: ${apply.said}${there.said}`)
      return apply.ms + there.ms
    },
    undo: undone,
    async waits(version) {
      await put(version)
      const { code, ms, said } = await status(LISTENED)
      await undone()
      return `rollout status: exit ${code} after ${spent(ms)}, "${said.trim().split('\n').at(-1)}"`
    },
    close() {
      space.remove()
      rmSync(work, { recursive: true, force: true })
    },
  }
}

type Timed = { readonly code: number | null; readonly ms: number; readonly said: string }

function timed(argv: readonly string[]): Promise<Timed> {
  const began = performance.now()
  return new Promise(resolve => {
    const child = execFile(kubectlFile() ?? 'kubectl', argv, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, ms: performance.now() - began, said: stdout + stderr }),
    )
  })
}
