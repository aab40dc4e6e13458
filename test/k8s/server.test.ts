import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cluster, cluster, describeWith, type Namespace } from '../testbed/index.ts'
import { asInput, COMPONENTS, type Manifest, OVERLAYS, type PodSpec, renderInto, workloads } from './kit.ts'

const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted', 'pod-security.kubernetes.io/warn': 'restricted' }

const cases = [
  ...OVERLAYS.map(({ folder }) => ({ name: folder, folder, components: [] as readonly string[] })),
  { name: 'k8s/check-in/production with its components', folder: 'k8s/check-in/production', components: COMPONENTS },
  { name: 'test/k8s/overlays/check-in', folder: 'test/k8s/overlays/check-in', components: [] },
  { name: 'test/k8s/overlays/veza', folder: 'test/k8s/overlays/veza', components: [] },
]

const inLayer = (objects: readonly Manifest[], ...layers: readonly string[]) =>
  objects.filter(({ metadata }) => layers.includes(metadata.labels?.['runbooks.dev/layer'] ?? ''))

/** Whether somebody may: `as` is a user or `group:…`, `what` is `resource[/subresource][:group] [name]`; answers in the order of the questions, by one call. */
function mays(on: Cluster, questions: readonly { as: string; verb: string; what: string; namespace: string }[]): boolean[] {
  const items = questions.map(({ as, verb, what, namespace }) => {
    const [kind = '', name] = what.split(' ')
    const [path = '', group = ''] = kind.split(':')
    const [resource, subresource] = path.split('/')
    const who = as.startsWith('group:') ? { user: 'somebody', groups: [as.slice(6)] } : { user: as }
    return {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        ...who,
        resourceAttributes: { namespace, verb, group, resource, ...(subresource ? { subresource } : {}), ...(name ? { name } : {}) },
      },
    }
  })
  const answers = on.kubectl(['create', '-f', '-', '-o', 'jsonpath={.status.allowed} '], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
  return answers
    .trim()
    .split(/\s+/)
    .map(allowed => allowed === 'true')
}

describeWith('kubernetes', 'what the API server says', () => {
  let on: Cluster
  const made: Namespace[] = []
  const scratch = (prefix: string, labels: Readonly<Record<string, string>> = {}): string => {
    const namespace = on.namespace(prefix, labels)
    made.push(namespace)
    return namespace.name
  }

  beforeAll(() => {
    on = cluster()
  })
  afterAll(() => {
    for (const namespace of made) namespace.remove()
  })

  test.each(cases)('it takes every object of $name as it is', ({ folder, components }) => {
    const objects = renderInto(folder, scratch('checked', RESTRICTED), { components })
    const { exit, stdout, stderr } = on.tries(['apply', '--server-side', '--dry-run=server', '--field-manager=checked', '-f', '-'], asInput(objects))
    expect([exit, stderr]).toEqual([0, ''])
    expect(stdout.trim().split('\n')).toHaveLength(objects.length)
  })

  test.each(['k8s/check-in/production', 'k8s/veza/production'])(
    'pods of %s pass "restricted", and each without one of its locks is refused',
    folder => {
      const namespace = scratch('restricted', RESTRICTED)
      const objects = renderInto(folder, namespace, { components: folder.includes('check-in') ? COMPONENTS : [] })
      // A pod's account must be there, even where nothing is kept.
      on.kubectl(['create', '-f', '-'], asInput(objects.filter(({ kind }) => kind === 'ServiceAccount')))
      const pods = workloads(objects).map(({ manifest, pod }) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: manifest.metadata.name, namespace },
        spec: podOf(pod),
      }))
      expect(pods.length).toBeGreaterThan(4)
      expect(on.tries(['create', '--dry-run=server', '-f', '-'], asInput(pods))).toMatchObject({ exit: 0, stderr: '' })
      const unlocked = Object.entries(UNLOCKED).flatMap(([lock, without]) =>
        pods.map(pod => ({ ...pod, metadata: { namespace, name: `${pod.metadata.name}-${lock}` }, spec: without(structuredClone(pod.spec)) })),
      )
      const { exit, stdout, stderr } = on.tries(['create', '--dry-run=server', '-f', '-'], asInput(unlocked))
      expect([exit, stdout]).toEqual([1, ''])
      expect(stderr.match(/violates PodSecurity "restricted:latest"/g)).toHaveLength(unlocked.length)
    },
  )

  test.each([
    { folder: 'k8s/check-in/staging', stack: 'check-in', app: 'backend', database: 'mongodb-0' },
    { folder: 'k8s/veza/staging', stack: 'veza', app: 'veza-service-account', database: 'postgres-0' },
  ])('of $stack everybody may do what the procedures need, and nothing beyond', ({ folder, stack, app, database }) => {
    const namespace = scratch('access')
    const other = scratch('elsewhere')
    const objects = renderInto(folder, namespace)
    const access = objects.filter(({ kind }) => ['ServiceAccount', 'Role', 'RoleBinding'].includes(kind))
    on.kubectl(['create', '-f', '-'], asInput(access))
    const account = (name: string) => `system:serviceaccount:${namespace}:${name}`
    const [backup, operator, viewers, operators] = [
      account('runbooks-backup'),
      account('runbooks-operator'),
      `group:${stack}-viewers`,
      `group:${stack}-operators`,
    ]
    const questions = [
      { as: backup, verb: 'list', what: 'pods', yes: true },
      { as: backup, verb: 'create', what: `pods/exec ${database}`, yes: true },
      { as: backup, verb: 'create', what: 'pods/exec backend-1', yes: false },
      { as: backup, verb: 'get', what: 'secrets checkin-secrets', yes: false },
      { as: backup, verb: 'delete', what: 'pods', yes: false },
      ...[operator, operators].flatMap(as => [
        { as, verb: 'patch', what: 'deployments:apps', yes: true },
        { as, verb: 'watch', what: 'pods', yes: true },
        { as, verb: 'create', what: 'pods/exec', yes: true },
        { as, verb: 'get', what: 'secrets', yes: true },
        { as, verb: 'update', what: 'leases:coordination.k8s.io', yes: true },
        { as, verb: 'delete', what: 'persistentvolumeclaims', yes: false },
        { as, verb: 'patch', what: 'networkpolicies:networking.k8s.io', yes: false },
        { as, verb: 'create', what: 'rolebindings:rbac.authorization.k8s.io', yes: false },
        { as, verb: 'patch', what: 'namespaces', yes: false },
        { as, verb: 'get', what: 'secrets', at: 'kube-system', yes: false },
        { as, verb: 'list', what: 'pods', at: other, yes: false },
      ]),
      { as: viewers, verb: 'list', what: 'deployments:apps', yes: true },
      { as: viewers, verb: 'get', what: 'pods/log', yes: true },
      { as: viewers, verb: 'get', what: 'secrets', yes: false },
      { as: viewers, verb: 'create', what: 'pods/exec', yes: false },
      { as: account(app), verb: 'list', what: 'pods', yes: false },
      { as: account(app), verb: 'get', what: 'secrets', yes: false },
    ]
    const answers = mays(
      on,
      questions.map(({ as, verb, what, ...rest }) => ({ as, verb, what, namespace: 'at' in rest ? rest.at : namespace })),
    )
    expect(questions.map(({ yes, ...question }, index) => ({ ...question, may: answers[index] }))).toEqual(
      questions.map(({ yes, ...question }) => ({ ...question, may: yes })),
    )

    // And the server takes the whole release from the operator, who applies no rights.
    const release = inLayer(objects, 'release', 'data')
    expect(on.tries(['apply', '--server-side', '--dry-run=server', `--as=${operator}`, '-f', '-'], asInput(release))).toMatchObject({
      exit: 0,
      stderr: '',
    })
    const refused = on.tries(['apply', '--server-side', '--dry-run=server', `--as=${operator}`, '-f', '-'], asInput(inLayer(objects, 'setup')))
    expect([refused.exit, refused.stdout]).toEqual([1, ''])
    expect(refused.stderr.match(/is forbidden/g)).toHaveLength(inLayer(objects, 'setup').length)
  })
})

/** A pod as its controller would make it: claims of a StatefulSet become volumes. */
function podOf(pod: PodSpec): PodSpec {
  const mounted = [...(pod.initContainers ?? []), ...pod.containers].flatMap(
    ({ volumeMounts }) => (volumeMounts as { name: string }[] | undefined) ?? [],
  )
  const lacking = new Set(mounted.map(({ name }) => name).filter(name => !pod.volumes?.some(volume => volume.name === name)))
  return { ...pod, volumes: [...(pod.volumes ?? []), ...[...lacking].map(name => ({ name, persistentVolumeClaim: { claimName: name } }))] }
}

const inAll = (pod: PodSpec, change: (context: Record<string, unknown>) => void): PodSpec => {
  for (const { securityContext } of pod.containers) change(securityContext as Record<string, unknown>)
  return pod
}

/** What "restricted" asks for, taken away one by one. */
const UNLOCKED: Readonly<Record<string, (pod: PodSpec) => PodSpec>> = {
  root: pod => ({ ...pod, securityContext: { seccompProfile: { type: 'RuntimeDefault' } } }),
  'any-call': pod => ({ ...pod, securityContext: { runAsNonRoot: true } }),
  capable: pod => inAll(pod, context => delete context.capabilities),
  gaining: pod => inAll(pod, context => delete context.allowPrivilegeEscalation),
  'of-the-host': pod => ({ ...pod, hostNetwork: true }),
}
