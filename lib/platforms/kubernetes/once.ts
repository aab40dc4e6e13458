import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type Command, CommandFailed } from '../../exec/process.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import type { Bundle } from '../platform.ts'
import { ApiError } from './api.ts'
import { applied } from './apply.ts'
import { faultOf } from './faults.ts'
import { bareImage, lacks } from './inside.ts'
import { forRelease, serviceOf } from './manifests.ts'
import { type Container, type Manifest, mainOf, nameOf, type Pod, type PodTemplate, templateOf } from './objects.ts'
import { liveOf } from './resources.ts'
import { MARK, type Site } from './site.ts'
import { keptOf, type Staged } from './stage.ts'

/** How long a throw-away pod may take to start, and to live, in milliseconds. */
const START_MS = 120_000
const LIFE_MS = 3 * 3_600_000
const AGAIN_MS = 100

/** What a throw-away pod is made from: a template, and what it goes with at the latest. */
export type Origin = { readonly template: PodTemplate; readonly owner: Pick<Staged, 'name' | 'uid'> }

/**
 * A command in a throw-away pod of a release: its image, settings, secrets and labels, so that network policies know it, but never ready, so that
 * no service sends anything to it. It sleeps, and the command is run in it: only so stdout, stderr and exit code come back as they are.
 */
export const once = (site: Site, bundle: Bundle, service: string, argv: readonly string[]): Command =>
  onceFrom(site, bundle, service, argv, doing => originIn(site, bundle, service, doing))

/** The same, of any template; `from` is asked when the command runs. */
export function onceFrom(site: Site, bundle: Bundle, service: string, argv: readonly string[], from: (doing: Doing) => Promise<Origin>): Command {
  const name = `runbooks-once-${service}-${randomBytes(4).toString('hex')}`.slice(0, 60)
  const words = ['exec', '-i', '--quiet', name, '--', ...argv]
  return site.kube.command(words, {
    way: {
      says: `${argv[0]} in a throw-away pod of ${service}`,
      async open(doing) {
        await site.kube.verify(doing)
        await made(site, bundle, service, name, await from(doing), doing)
        return { greeting: '', until: new AbortController().signal, ended: () => gone(site, name) }
      },
    },
  })
}

const pathOf = (site: Site, name = '') => `/api/v1/namespaces/${site.kube.namespace}/pods${name && `/${name}`}`

async function originIn(site: Site, bundle: Bundle, service: string, doing: Doing): Promise<Origin> {
  const kept = await keptOf(site, bundle.release, doing)
  const objects = kept ? forRelease(site, kept.objects, bundle, new Map(), []) : []
  const object = objects.find(one => serviceOf(site, one)?.name === service)
  const template = object && templateOf(object)
  if (!kept || !template) throw new Trouble(3, `Nothing that runs ${service} is kept of the release ${bundle.release}`)
  await settingsThere(site, objects, doing)
  return { template, owner: kept }
}

/** With an owner, no controller takes a pod for one of its own; and it goes with the owner at the latest. */
export const ownedBy = ({ name, uid }: Origin['owner']) => [{ apiVersion: 'v1', kind: 'Secret', name, uid, controller: true }]

async function made(site: Site, bundle: Bundle, service: string, name: string, { template, owner }: Origin, doing: Doing): Promise<void> {
  const main = mainOf(template.spec, bundle.services[service]?.image ?? '') as Container
  const { readinessProbe: _, livenessProbe: __, startupProbe: ___, lifecycle: ____, args: _____, ports: ______, ...container } = main
  const { initContainers: _______, ...spec } = template.spec
  const metadata = { name, labels: { ...template.metadata?.labels, [MARK.once]: 'command' }, ownerReferences: ownedBy(owner) }
  const sleeps = { ...container, command: ['sleep', String(LIFE_MS / 1_000)] }
  const more = {
    restartPolicy: 'Never',
    activeDeadlineSeconds: LIFE_MS / 1_000,
    terminationGracePeriodSeconds: 1,
    readinessGates: [{ conditionType: MARK.once }],
  }
  try {
    await site.kube.api.send('POST', pathOf(site), {
      body: { apiVersion: 'v1', kind: 'Pod', metadata, spec: { ...spec, ...more, containers: [sleeps] } },
      doing,
    })
  } catch (error) {
    throw error instanceof ApiError ? new Trouble(3, `No throw-away pod of ${service} can be made: ${error.message}`) : error
  }
  await runs(site, name, service, doing).catch(async error => {
    await gone(site, name)
    throw error
  })
}

/** Settings that came with the release and that nobody has made yet: it runs before its release is started. */
async function settingsThere(site: Site, objects: readonly Manifest[], doing: Doing): Promise<void> {
  const settings = objects.filter(({ kind }) => kind === 'ConfigMap' || kind === 'Secret')
  const live = await liveOf(site, settings, doing)
  const missing = settings.filter(one => !live.has(nameOf(one)))
  await applied(site, missing, doing, 'for good')
}

async function runs(site: Site, name: string, service: string, doing: Doing): Promise<void> {
  const until = performance.now() + START_MS
  const found = site.setting.services.find(one => one.name === service)
  for (;;) {
    const pod = await site.kube.api.get<Pod>(pathOf(site, name), { doing })
    const [status] = pod.status?.containerStatuses ?? []
    if (status?.state?.running) return
    const fault =
      found && faultOf(pod, { service: found, object: { kind: 'Pod', metadata: pod.metadata, spec: { template: pod } }, pods: [], old: [] })
    if (lacks('sleep', `${status?.state?.terminated?.message ?? status?.state?.waiting?.message}`))
      throw bareImage(service, 'sleep', 'a throw-away pod')
    if (fault?.is === 'doomed' || status?.state?.terminated || performance.now() > until)
      throw new CommandFailed(
        `A throw-away pod of ${service} does not start: ${fault?.because ?? status?.state?.waiting?.message ?? pod.status?.phase}`,
        null,
        null,
        '',
      )
    await pause(AGAIN_MS, undefined, { signal: doing.signal })
  }
}

async function gone(site: Site, name: string): Promise<undefined> {
  await site.kube.api.send('DELETE', `${pathOf(site, name)}?gracePeriodSeconds=0`, { patient: true }).catch(() => undefined)
  return undefined
}
