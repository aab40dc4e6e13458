import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'
import { postgresImage, redisImage } from '../testbed/images.ts'
import { cluster, describeWith } from '../testbed/index.ts'
import { kubectlFile } from '../testbed/kubernetes.ts'
import { conformance } from './inside/conformance.ts'
import { PASSWORDS, POSTGRES } from './inside/data.ts'

// Hundreds of commands enter a pod, each through kubectl.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 240_000 })

/** `$(NAME)` is Kubernetes's own, and a shell's. */
const plain = (text: string) => text.replaceAll('$(', '$$(')

function workload(kind: 'StatefulSet' | 'Deployment', name: string, image: string, command: readonly string[], env: Record<string, string> = {}) {
  const variables = Object.entries(env).map(([key, value]) => ({ name: key, value }))
  const container = { name, image, imagePullPolicy: 'Never', command: command.map(plain), env: variables }
  const folders = { socket: '/var/run/postgresql', srv: '/srv', tmp: '/tmp' }
  const volumeMounts = Object.entries(folders).map(([volume, mountPath]) => ({ name: volume, mountPath }))
  const template = {
    metadata: { labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 1,
      securityContext: { runAsUser: 1000, fsGroup: 1000 },
      containers: [{ ...container, volumeMounts }],
      volumes: Object.keys(folders).map(volume => ({ name: volume, emptyDir: {} })),
    },
  }
  const own = kind === 'StatefulSet' ? { serviceName: name } : {}
  return { apiVersion: 'apps/v1', kind, metadata: { name }, spec: { ...own, replicas: 1, selector: { matchLabels: { app: name } }, template } }
}

describeWith(['kubernetes', 'postgres', 'redis', 'zstd'], 'data in pods of a Kubernetes platform', () => {
  conformance(async () => {
    const on = cluster()
    const work = mkdtempSync(join(tmpdir(), 'inside-kubernetes-'))
    const images = [postgresImage(work), redisImage(work)] as const
    await on.load(images)
    const space = on.namespace('inside')
    const overlay = join(work, 'overlay')
    mkdirSync(overlay)
    writeFileSync(join(overlay, 'kustomization.yaml'), JSON.stringify({ apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization' }))
    const redis = ['redis-server', '--save', '', '--dir', '/tmp', '--requirepass', PASSWORDS.cache]
    const objects = [
      workload('StatefulSet', 'postgres', images[0].name, ['sh', '-c', POSTGRES, 'sh', PASSWORDS.database]),
      workload('StatefulSet', 'redis', images[1].name, redis),
      workload('Deployment', 'media', images[1].name, ['sh', '-c', 'mkdir /tmp/bin && busybox --install -s /tmp/bin && exec sleep 36000'], {
        PATH: '/tmp/bin:/usr/bin:/bin',
      }),
    ]
    const stop = async () => {
      space.remove()
      rmSync(work, { recursive: true, force: true })
    }
    const of = (service: string) => (service === 'media' ? 'deployment/media' : `statefulset/${service}`)
    try {
      on.kubectl(['-n', space.name, 'apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
      for (const service of ['postgres', 'redis', 'media']) on.kubectl(['-n', space.name, 'rollout', 'status', of(service), '--timeout=120s'])
    } catch (error) {
      await stop()
      throw error
    }
    const words = (service: string, argv: readonly string[]) => ['-n', space.name, 'exec', of(service), '--', ...argv]
    const { contexts } = JSON.parse(on.kubectl(['config', 'view', '-o', 'json'])) as { contexts: { name: string }[] }
    return {
      platform: `kubernetes({
        cluster: '${on.server}', namespace: '${space.name}', overlay: '${overlay}', kubeconfig: secret('KUBE_CONFIG'),
        context: '${contexts[0]?.name}', door: 'http://127.0.0.1:9',
        workloads: { postgres: 'statefulset/postgres', redis: 'statefulset/redis' },
      })`,
      where: `${on.server} ${space.name}`,
      prints: 'exec -i --quiet --pod-running-timeout=5s statefulset/postgres --',
      settings: { KUBE_CONFIG: on.kubectl(['config', 'view', '--raw', '--minify', '--flatten', '-o', 'json']).replaceAll(/\n\s*/g, '') },
      env: {},
      exec: (service, argv) => on.kubectl(words(service, argv)).trimEnd(),
      words: (service, argv) => [kubectlFile() ?? 'kubectl', '--kubeconfig', on.kubeconfig, ...words(service, argv)],
      // The set is taken away first, so that nothing stands in for it.
      kill(service) {
        on.kubectl(['-n', space.name, 'delete', 'statefulset', service, '--cascade=orphan'])
        on.kubectl(['-n', space.name, 'delete', 'pod', `${service}-0`, '--force', '--grace-period=0'])
      },
      stop,
    }
  })
})
