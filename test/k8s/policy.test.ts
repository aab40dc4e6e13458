import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { kubectlFile } from '../testbed/kubernetes.ts'
import {
  COMPONENTS,
  containersOf,
  documentedSecrets,
  type Manifest,
  nameOf,
  OVERLAYS,
  parsed,
  project,
  render,
  renderInto,
  type Tree,
  workloads,
} from './kit.ts'

const withoutKubectl = kubectlFile() === undefined

const everything = [
  ...OVERLAYS.map(({ stack, folder }) => ({ stack, name: folder, objects: () => render(folder) })),
  {
    stack: 'check-in',
    name: 'k8s/check-in/staging with its components',
    objects: () => renderInto('k8s/check-in/staging', 'checkin-staging', { components: COMPONENTS }),
  },
]

const of = (objects: readonly Manifest[], kind: string) => objects.filter(object => object.kind === kind)
const has = (objects: readonly Manifest[], kind: string, name: string) =>
  objects.some(object => object.kind === kind && object.metadata.name === name)
const matches = (selector: Tree, labels: Tree) => Object.entries(selector).every(([key, value]) => labels[key] === value)

/** Every place in a manifest where `key` stands, with what it holds. */
function places(value: unknown, key: string): Tree[] {
  if (Array.isArray(value)) return value.flatMap(each => places(each, key))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [...(name === key ? [inner as Tree] : []), ...places(inner, key)])
}

describe.skipIf(withoutKubectl).each(everything)(`$name${withoutKubectl ? ' (skipped, needs kubectl)' : ''}`, ({ stack, objects: made }) => {
  const objects = withoutKubectl ? [] : made()
  const pods = workloads(objects)

  test('there is something, and everything says what it is and whose', () => {
    expect(pods.length).toBeGreaterThan(3)
    for (const object of objects) {
      expect(object.metadata.labels, nameOf(object)).toMatchObject({
        'runbooks.dev/stack': stack,
        'runbooks.dev/layer': expect.stringMatching(/^(setup|data|release|rehearsal)$/),
        'app.kubernetes.io/name': expect.any(String),
        'app.kubernetes.io/part-of': stack,
        'app.kubernetes.io/component': expect.any(String),
      })
    }
    for (const { name, labels } of pods) expect(labels, name).toMatchObject({ 'runbooks.dev/stack': stack, 'app.kubernetes.io/part-of': stack })
  })

  test('everything is in the one namespace, which holds pods to "restricted"', () => {
    const [namespace] = of(objects, 'Namespace')
    expect(namespace?.metadata.labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted', 'runbooks.dev/layer': 'setup' })
    for (const object of objects) if (object !== namespace) expect(object.metadata.namespace, nameOf(object)).toBe(namespace?.metadata.name)
  })

  test('images have a version, and it is not latest', () => {
    for (const { name, pod } of pods) for (const { image } of containersOf(pod)) expect(image, name).toMatch(/:(?!latest$)[\w][\w.-]*$/)
  })

  test('every container has requests and limits of processor and memory', () => {
    const both = { cpu: expect.anything(), memory: expect.anything() }
    for (const { name, pod } of pods) for (const { resources } of containersOf(pod)) expect(resources, name).toEqual({ requests: both, limits: both })
  })

  test('whatever runs on has probes for start, readiness and life, on ports that have names', () => {
    for (const { name, manifest, pod } of pods) {
      for (const container of containersOf(pod))
        for (const port of container.ports ?? []) expect(port.name, `${name} ${port.containerPort}`).toEqual(expect.any(String))
      if (manifest.kind === 'Job') continue
      for (const { startupProbe, readinessProbe, livenessProbe } of pod.containers)
        expect([startupProbe, readinessProbe, livenessProbe], name).toEqual([expect.anything(), expect.anything(), expect.anything()])
    }
  })

  test('nothing is root, gains rights, writes to its own files, or holds a token', () => {
    const locked = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } }
    for (const { name, pod } of pods) {
      expect(pod, name).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      })
      for (const { securityContext } of containersOf(pod)) expect(securityContext, name).toEqual(locked)
      for (const key of ['hostNetwork', 'hostPID', 'hostIPC', 'hostPath', 'privileged', 'hostPort'])
        expect(places(pod, key), `${name} ${key}`).toEqual([])
    }
    for (const account of of(objects, 'ServiceAccount')) expect(account.automountServiceAccountToken, nameOf(account)).toBe(false)
  })

  test('a rollout never has fewer pods than wanted, and a pod goes on answering until those who send have heard of its end', () => {
    const deployments = pods.filter(({ manifest }) => manifest.kind === 'Deployment')
    for (const { name, manifest, pod } of deployments) {
      expect(manifest.spec, name).toMatchObject({
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0 } },
        progressDeadlineSeconds: expect.any(Number),
      })
      const [{ lifecycle } = {}] = pod.containers as readonly { lifecycle?: { preStop?: { sleep?: { seconds: number }; exec?: unknown } } }[]
      const waits = lifecycle?.preStop?.sleep?.seconds ?? (lifecycle?.preStop?.exec ? 8 : 0)
      expect(waits, name).toBeGreaterThanOrEqual(3)
      expect(pod.terminationGracePeriodSeconds, name).toBeGreaterThan(waits)
    }
  })

  test('secrets are named and never held, and each that is read is documented with its keys', () => {
    expect(of(objects, 'Secret')).toEqual([])
    const documented = documentedSecrets(stack)
    const read = (secret: unknown, key: unknown, where: string) => expect(documented.get(String(secret)), `${where} reads ${secret}`).toContain(key)
    for (const { name, pod } of pods) {
      for (const { name: secret, key } of places(pod, 'secretKeyRef')) read(secret, key, name)
      for (const { secretName, items } of places(pod, 'secret'))
        for (const { key } of (items as { key: string }[] | undefined) ?? [{ key: 'tls.crt' }, { key: 'tls.key' }]) read(secretName, key, name)
    }
    for (const object of objects)
      for (const { name: secret } of places(object, 'imagePullSecrets').flat() as { name: string }[])
        read(secret, '.dockerconfigjson', nameOf(object))
    for (const ingress of of(objects, 'Ingress'))
      for (const { secretName } of places(ingress, 'tls').flat() as { secretName: string }[]) read(secretName, 'tls.key', nameOf(ingress))
    // A value with such a name in the open would be one that was forgotten.
    for (const { name, pod } of pods)
      for (const { env = [] } of pod.containers)
        for (const { name: variable, value } of env) if (value !== undefined) expect(variable, name).not.toMatch(SECRET)
    for (const map of of(objects, 'ConfigMap')) for (const key of Object.keys(map.data as Tree)) expect(key, nameOf(map)).not.toMatch(SECRET)
  })

  test('every configuration map that is read is there with its keys', () => {
    const maps = new Map(of(objects, 'ConfigMap').map(({ metadata, data }) => [metadata.name, Object.keys(data as Tree)]))
    for (const { name, pod } of pods) {
      for (const { name: map, key } of places(pod, 'configMapKeyRef')) expect(maps.get(String(map)), name).toContain(key)
      for (const { name: map } of places(pod, 'configMapRef')) expect([...maps.keys()], name).toContain(map)
      for (const { name: map, items } of places(pod, 'configMap'))
        for (const { key } of (items as { key: string }[] | undefined) ?? [{ key: maps.get(String(map))?.[0] }])
          expect(maps.get(String(map)), name).toContain(key)
    }
  })

  test('service accounts are there, and rights end at the namespace', () => {
    for (const { name, pod } of pods)
      if (pod.serviceAccountName) expect(has(objects, 'ServiceAccount', String(pod.serviceAccountName)), name).toBe(true)
    expect([...of(objects, 'ClusterRole'), ...of(objects, 'ClusterRoleBinding')].map(nameOf)).toEqual([])
    for (const role of of(objects, 'Role')) {
      for (const { verbs, resources } of role.rules as { verbs: string[]; resources: string[] }[]) {
        expect([...verbs, ...resources], nameOf(role)).not.toContain('*')
        // Who may write roles may give itself everything.
        expect(resources.join(), nameOf(role)).not.toMatch(/role/)
      }
    }
    const own = of(objects, 'Namespace')[0]?.metadata.name
    for (const binding of of(objects, 'RoleBinding')) {
      expect(has(objects, 'Role', String((binding.roleRef as Tree).name)), nameOf(binding)).toBe(true)
      for (const subject of binding.subjects as { kind: string; name: string; namespace?: string }[]) {
        if (subject.kind === 'Group') expect(subject.name, nameOf(binding)).toMatch(new RegExp(`^${stack}-`))
        else expect([subject.namespace, has(objects, 'ServiceAccount', subject.name)], nameOf(binding)).toEqual([own, true])
      }
    }
  })

  test('services, autoscalers, budgets and policies lead to pods that are there, by names of their ports', () => {
    const labelled = (selector: Tree) => pods.filter(({ labels }) => matches(selector, labels))
    for (const service of of(objects, 'Service')) {
      const { selector, ports } = service.spec as { selector: Tree; ports: { name?: string; targetPort: string }[] }
      const [target, ...others] = labelled(selector)
      expect([target !== undefined, others], nameOf(service)).toEqual([true, []])
      const names = target!.pod.containers.flatMap(({ ports = [] }) => ports.map(port => port.name))
      for (const { name, targetPort } of ports)
        expect([typeof name, names.includes(targetPort)], `${nameOf(service)} ${name}`).toEqual(['string', true])
    }
    for (const scaler of of(objects, 'HorizontalPodAutoscaler')) {
      const { scaleTargetRef, minReplicas, maxReplicas, metrics } = scaler.spec as {
        scaleTargetRef: { kind: string; name: string }
        minReplicas: number
        maxReplicas: number
        metrics: unknown
      }
      const target = objects.find(({ kind, metadata }) => kind === scaleTargetRef.kind && metadata.name === scaleTargetRef.name)
      // Both would set the number, and each apply would undo the autoscaler's.
      expect(target?.spec, nameOf(scaler)).not.toHaveProperty('replicas')
      expect(minReplicas, nameOf(scaler)).toBeGreaterThanOrEqual(2)
      expect(maxReplicas, nameOf(scaler)).toBe(10)
      const use = (resource: string, averageUtilization: number) => ({
        type: 'Resource',
        resource: { name: resource, target: { type: 'Utilization', averageUtilization } },
      })
      expect(metrics, nameOf(scaler)).toEqual([use('cpu', 70), use('memory', 80)])
    }
    for (const budget of of(objects, 'PodDisruptionBudget')) {
      const { selector, minAvailable, maxUnavailable } = budget.spec as {
        selector: { matchLabels: Tree }
        minAvailable?: number
        maxUnavailable?: number
      }
      const [target] = labelled(selector.matchLabels)
      expect(target, nameOf(budget)).toBeDefined()
      const least = (target!.manifest.spec as { replicas?: number }).replicas ?? 2
      // One that allows no eviction at all would keep a node from ever being drained.
      expect(maxUnavailable ?? least - (minAvailable ?? 0), nameOf(budget)).toBeGreaterThanOrEqual(1)
    }
    for (const policy of of(objects, 'NetworkPolicy')) {
      const { podSelector } = policy.spec as { podSelector: { matchLabels?: Tree } }
      const app = podSelector.matchLabels?.app
      if (app !== undefined && app !== 'runbooks') expect(labelled(podSelector.matchLabels!), nameOf(policy)).toHaveLength(1)
    }
    for (const ingress of [...of(objects, 'Ingress'), ...of(objects, 'HTTPRoute')]) {
      const services = [...places(ingress, 'service'), ...(places(ingress, 'backendRefs').flat() as Tree[])]
      expect(services.length, nameOf(ingress)).toBeGreaterThan(0)
      for (const { name } of services) expect(has(objects, 'Service', String(name)), nameOf(ingress)).toBe(true)
    }
  })

  test('nothing may be reached unless a policy says so, and every pod has a policy of its own', () => {
    const denial = objects.find(({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'default-deny')
    expect(denial?.spec).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] })
    type Selector = { matchLabels?: Tree; matchExpressions?: readonly { key: string; operator: string; values: readonly string[] }[] }
    const chosen = of(objects, 'NetworkPolicy').flatMap(({ spec }) => {
      const { matchLabels, matchExpressions = [] } = (spec as { podSelector: Selector }).podSelector
      return [matchLabels?.app, ...matchExpressions.flatMap(({ key, operator, values }) => (key === 'app' && operator === 'In' ? values : []))]
    })
    for (const { name, labels } of pods) expect(chosen, name).toContain(labels.app)
  })
})

const SECRET = /PASSWORD|SECRET|TOKEN(?!_TTL$)|PRIVATE|CREDENTIAL|ACCESS_KEY$|_KEY_ID/i

describe('the documented secrets', () => {
  test.each(['check-in', 'veza'])('of %s have names and keys and not one value', stack => {
    const objects = parsed(readFileSync(join(project, 'k8s', stack, 'secrets.example.yaml'), 'utf8'))
    expect(objects.length).toBeGreaterThan(2)
    for (const object of objects) {
      expect([object.kind, object.metadata.labels?.['runbooks.dev/stack'], 'data' in object]).toEqual(['Secret', stack, false])
      expect(new Set(Object.values(object.stringData as Tree)), object.metadata.name).toEqual(new Set(['']))
    }
  })
})
