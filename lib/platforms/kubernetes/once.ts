import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Way } from '../../exec/command.ts'
import { type Inside, secretLines, WITH_INPUT, WITHOUT_INPUT } from '../../exec/place.ts'
import { type Command, CommandFailed } from '../../exec/process.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { Secret } from '../../plan/secrets.ts'
import type { Bundle } from '../platform.ts'
import { ApiError } from './api.ts'
import { applied } from './apply.ts'
import { faultOf } from './faults.ts'
import { forRelease, serviceOf } from './manifests.ts'
import { type Container, type Manifest, mainOf, nameOf, type Pod, templateOf } from './objects.ts'
import { liveOf } from './resources.ts'
import { MARK, type Site, workloadOf } from './site.ts'
import { keptOf } from './stage.ts'

/** How long a throw-away pod may take to start, and to live, in milliseconds. */
const START_MS = 120_000
const LIFE_MS = 3 * 3_600_000
const AGAIN_MS = 100

/** A command inside a running service, without a terminal: bytes go both ways unchanged, and the exit code is its own. */
export function inside(site: Site, service: string, command: Command, how: Inside): Command {
  if (command.secret !== undefined) throw new RangeError('a descriptor does not reach into a pod; give the secret a name')
  const { kind, name } = workloadOf(site, service)
  const { count, text } = secretLines(how.secrets)
  const argv = ['exec', '-i', '--quiet', '--pod-running-timeout=5s', `${kind.toLowerCase()}/${name}`, '--']
  const wrapped = ['sh', '-c', how.input ? WITH_INPUT : WITHOUT_INPUT, 'sh', count, ...environed(command)]
  const { typed } = site.kube.command([...argv, command.file, ...command.argv])
  const made = site.kube.command([...argv, ...wrapped], {
    preface: new Secret(`secrets for ${service}`, text),
    ...(typed ? { typed } : {}),
  })
  return { ...made, ...(made.way ? { way: explained(made.way, service) } : {}) }
}

/** The way into a pod, which says so when it ends because the image has no shell. */
function explained(way: Way, service: string): Way {
  return {
    ...way,
    async open(doing) {
      const opened = await way.open(doing)
      return {
        ...opened,
        ended: async (end, stderr) =>
          end.code !== 0 && lacks('sh', stderr) ? bareImage(service, 'sh', 'a command inside a pod') : opened.ended(end, stderr),
      }
    },
  }
}

/** Whether a runtime says that an image has no such program. */
const lacks = (program: string, words: string) =>
  new RegExp(`exec: "${program}": .*(executable file not found|no such file or directory)`, 's').test(words)

function bareImage(service: string, program: string, who: string): Trouble {
  return new Trouble(3, `The image of ${service} has no ${program}, which ${who} needs`, {
    next: [
      `put ${program} into the image of ${service}: BusyBox will do, beside a static binary too`,
      'or leave out of the stack file what runs inside it: in, smoke commands, migrations',
    ],
  })
}

/** Variables and folder, as words in front of a command. */
function environed({ env, cwd, file, argv }: Command): readonly string[] {
  const words = [file, ...argv]
  const variables = Object.entries(env ?? {}).map(([name, value]) => `${name}=${value}`)
  const set = variables.length > 0 ? ['env', ...variables, ...words] : words
  return cwd === undefined ? set : ['sh', '-c', 'cd -- "$1" && shift && exec "$@"', 'sh', cwd, ...set]
}

/**
 * A command in a throw-away pod of a release: its image, settings, secrets and labels, so that network policies know it, but never ready, so that
 * no service sends anything to it. It sleeps, and the command is run in it: only so stdout, stderr and exit code come back as they are.
 */
export function once(site: Site, bundle: Bundle, service: string, argv: readonly string[]): Command {
  const name = `runbooks-once-${service}-${randomBytes(4).toString('hex')}`.slice(0, 60)
  const words = ['exec', '-i', '--quiet', name, '--', ...argv]
  return site.kube.command(words, {
    way: {
      says: `${argv[0]} in a throw-away pod of ${service}`,
      async open(doing) {
        await site.kube.verify(doing)
        await made(site, bundle, service, name, doing)
        return { greeting: '', until: new AbortController().signal, ended: () => gone(site, name) }
      },
    },
  })
}

const pathOf = (site: Site, name = '') => `/api/v1/namespaces/${site.kube.namespace}/pods${name && `/${name}`}`

async function made(site: Site, bundle: Bundle, service: string, name: string, doing: Doing): Promise<void> {
  const kept = await keptOf(site, bundle.release, doing)
  const objects = kept ? forRelease(site, kept.objects, bundle, new Map(), []) : []
  const object = objects.find(one => serviceOf(site, one)?.name === service)
  const template = object && templateOf(object)
  if (!kept || !template) throw new Trouble(3, `Nothing that runs ${service} is kept of the release ${bundle.release}`)
  await settingsThere(site, objects, doing)
  const main = mainOf(template.spec, bundle.services[service]?.image ?? '') as Container
  const { readinessProbe: _, livenessProbe: __, startupProbe: ___, lifecycle: ____, args: _____, ports: ______, ...container } = main
  const { initContainers: _______, ...spec } = template.spec
  const metadata = {
    name,
    labels: { ...template.metadata?.labels, [MARK.once]: 'command' },
    // With an owner, no controller takes it for one of its own; and it goes with the release at the latest.
    ownerReferences: [{ apiVersion: 'v1', kind: 'Secret', name: kept.name, uid: kept.uid, controller: true }],
  }
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
