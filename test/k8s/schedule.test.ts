import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadStack } from '../../lib/stack/load.ts'
import { printSchedule } from '../../lib/stack/schedule.ts'
import { setupOf } from '../../lib/stack/setup.ts'
import { type Cluster, cluster, describeWith, type Namespace } from '../testbed/index.ts'
import { asInput, type Manifest, parsed, project, render, renderInto, type Tree } from './kit.ts'

type CronJob = Manifest & { readonly spec: { readonly jobTemplate: { readonly spec: { readonly template: Tree & { spec: Pod; metadata: Meta } } } } }
type Meta = { readonly labels: Readonly<Record<string, string>> }
type Pod = Tree & {
  readonly serviceAccountName: string
  readonly volumes: readonly Tree[]
  readonly containers: readonly { envFrom: readonly Tree[] }[]
}

const CASES = ['check-in', 'veza'].flatMap(stack => ['staging', 'production'].map(environment => ({ stack, environment })))

describeWith('kubernetes', 'the CronJobs that schedule.ts prints', () => {
  let on: Cluster
  const made: Namespace[] = []
  beforeAll(() => {
    on = cluster()
  })
  afterAll(() => {
    for (const namespace of made) namespace.remove()
  })

  test.each(CASES)(
    'those of $stack/$environment fit the accounts, policies and secrets there, and the server takes them',
    async ({ stack, environment }) => {
      const at = { description: await loadStack(join(project, 'config'), stack), environment }
      const jobs = parsed(printSchedule(at, { format: 'kubernetes', image: 'runbooks:0.1.0', user: 'nobody' }).text) as CronJob[]
      expect(jobs).toHaveLength(2)
      const folder = `k8s/${stack}/${environment}`
      const overlay = render(folder)
      const accounts = overlay.filter(({ kind }) => kind === 'ServiceAccount').map(({ metadata }) => metadata.name)
      const policies = overlay
        .filter(({ kind }) => kind === 'NetworkPolicy')
        .map(({ spec }) => (spec as { podSelector: { matchLabels?: Tree } }).podSelector)
      for (const { metadata, spec } of jobs) {
        const { template } = spec.jobTemplate.spec
        expect(metadata.namespace).toBe(overlay.find(({ kind }) => kind === 'Namespace')?.metadata.name)
        expect(accounts).toContain(template.spec.serviceAccountName)
        // Their tools run in the pods of the databases, which the account may enter.
        expect(template.spec.automountServiceAccountToken).toBe(true)
        expect(policies).toContainEqual({ matchLabels: { app: template.metadata.labels.app } })
        const { secrets = {}, configMaps = {} } = setupOf(at)
        expect(Object.keys(secrets)).toContain((template.spec.containers[0]!.envFrom[0] as { secretRef: { name: string } }).secretRef.name)
        const maps = template.spec.volumes.flatMap(({ configMap }) => (configMap ? [(configMap as { name: string }).name] : []))
        expect(Object.keys(configMaps)).toEqual(maps)
      }
      const namespace = on.namespace('cron', { 'pod-security.kubernetes.io/enforce': 'restricted', 'pod-security.kubernetes.io/warn': 'restricted' })
      made.push(namespace)
      const rights = renderInto(folder, namespace.name).filter(({ kind }) => ['ServiceAccount', 'Role', 'RoleBinding'].includes(kind))
      on.kubectl(['create', '-f', '-'], asInput(rights))
      const moved = jobs.map(job => ({ ...job, metadata: { ...job.metadata, namespace: namespace.name } }))
      const pods = moved.map(({ metadata, spec }) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        ...spec.jobTemplate.spec.template,
        metadata: { ...spec.jobTemplate.spec.template.metadata, name: metadata.name, namespace: namespace.name },
      }))
      const operator = `system:serviceaccount:${namespace.name}:runbooks-operator`
      const taken = on.tries(['apply', '--server-side', '--dry-run=server', `--as=${operator}`, '-f', '-'], asInput([...moved, ...pods]))
      expect([taken.exit, taken.stderr, taken.stdout.trim().split('\n')]).toEqual([0, '', expect.objectContaining({ length: 4 })])
    },
  )
})
