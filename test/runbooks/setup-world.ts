import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { type Cluster, cluster, kubectlFile } from '../testbed/kubernetes.ts'
import { bareEnv, type Invoke, invoke, type Ran, ROOT, worldAt } from './kit.ts'

/** check-in with its own setup, in a namespace that is not there yet, with stand-in images. */
export type SetupWorld = {
  readonly on: Cluster
  readonly namespace: string
  readonly home: string
  /** kubectl in the namespace. */
  kubectl(...argv: readonly string[]): string
  /** A Secret's values by key, decoded. */
  secret(name: string): Readonly<Record<string, string>>
  setup(flags?: readonly string[], how?: Invoke): Promise<Ran>
  /** Adds files to the overlay, or patches. */
  overlay(more?: Readonly<Record<string, unknown>>, files?: Readonly<Record<string, string>>): void
  /** The manifests of the overlay. */
  rendered(): string
  /** Everything that runs have written on this machine, with the arguments and the environment of every kubectl. */
  written(): string
  /** The cluster's kubeconfig for somebody else, as file. */
  as(user: string, ...groups: readonly string[]): string
  close(): void
}

/** Values of settings, which must be found in the cluster and nowhere else. */
export const GIVEN = { AWS_SECRET_ACCESS_KEY: 'given-aws-secret-7f3a', REGISTRY_TOKEN: 'given-registry-token-91c2' }

/** Makes the world; the namespace's name begins with `prefix`. */
export function setupWorld(prefix = 'setup'): SetupWorld {
  const on = cluster()
  const folder = mkdtempSync(join(tmpdir(), 'setup-world-'))
  const world = worldAt(folder)
  const namespace = `${prefix}-${randomBytes(4).toString('hex')}`
  const overlays = join(folder, 'overlay')
  for (const made of [world.home, world.config, overlays]) mkdirSync(made)
  const overlay: SetupWorld['overlay'] = (more = {}, files = {}) => {
    const moved = { apiVersion: 'builtin', kind: 'NamespaceTransformer', metadata: { name: 'namespace', namespace } }
    const renamed = JSON.stringify([{ op: 'replace', path: '/metadata/name', value: namespace }])
    const patches = [{ target: { kind: 'Namespace' }, patch: renamed, options: { allowNameChange: true } }]
    const kustomization = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      transformers: [JSON.stringify({ ...moved, setRoleBindingSubjects: 'allServiceAccounts' })],
      resources: [relative(overlays, join(ROOT, 'test/k8s/overlays/check-in'))],
      ...more,
      patches: [...patches, ...((more.patches as readonly unknown[] | undefined) ?? [])],
    }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(overlays, name), text)
    writeFileSync(join(overlays, 'kustomization.yaml'), JSON.stringify(kustomization))
  }
  overlay()
  writeFileSync(join(world.config, 'package.json'), '{"type":"module"}')
  writeFileSync(
    join(world.config, 'check-in.ts'),
    `import { defineStack, directory, env, kubernetes } from 'runbooks'
import stack from '${join(ROOT, 'config/check-in.ts')}'
const platform = kubernetes({ cluster: env('CLUSTER'), namespace: '${namespace}', overlay: '${overlays}', kubeconfig: env('KUBECONFIG_FILE'), door: 'http://127.0.0.1:9' })
export default defineStack({ ...stack, deploy: {}, data: {}, environments: { staging: { platform, stores: [directory({ path: 'backups' })] } } })
`,
  )
  const env = {
    CLUSTER: on.server,
    KUBECONFIG_FILE: on.kubeconfig,
    S3_BUCKET: 'checkin-backups',
    AWS_REGION: 'eu-west-3',
    AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
    REGISTRY_USERNAME: 'robot',
    ...GIVEN,
  }
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const seen = join(folder, 'kubectl.log')
  writeFileSync(seen, '')
  writeFileSync(join(bin, 'kubectl'), `#!/bin/sh\nprintf '%s\\n' "$@" >>${seen}; env >>${seen}\nexec ${kubectlFile()} "$@"\n`, { mode: 0o755 })
  const PATH = `${bin}:${bareEnv(world).PATH}`
  const flags = ['--stack=check-in', '--environment=staging']
  return {
    on,
    namespace,
    home: world.home,
    kubectl: (...argv) => on.kubectl(['--namespace', namespace, ...argv]),
    secret(name) {
      const { data } = JSON.parse(on.kubectl(['--namespace', namespace, 'get', 'secret', name, '-o', 'json'])) as { data: Record<string, string> }
      return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]))
    },
    setup: (more = ['--yes'], how = {}) => invoke(world, 'setup', [...flags, ...more], { ...how, bare: true, env: { PATH, ...env, ...how.env } }),
    overlay,
    rendered: () => on.kubectl(['kustomize', overlays]),
    written: () => {
      const files = readdirSync(world.home, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
      return [seen, ...files.map(entry => join(entry.parentPath, entry.name))].map(file => readFileSync(file, 'utf8')).join('\n')
    },
    as(user, ...groups) {
      const config = JSON.parse(on.kubectl(['config', 'view', '--raw', '--minify', '-o', 'json'])) as { users: { user: Record<string, unknown> }[] }
      Object.assign(config.users[0]!.user, { as: user, 'as-groups': groups })
      const file = join(folder, `${user}.kubeconfig`)
      writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
      return file
    },
    close() {
      on.tries(['delete', 'namespace', namespace, '--ignore-not-found', '--wait=false'])
      on.tries(['delete', 'pods', '--all', '--namespace', namespace, '--ignore-not-found', '--grace-period=1', '--wait=false'])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
