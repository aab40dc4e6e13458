import type { Doing } from '../plan/plan.ts'
import { type Check, LIMIT_MS, type Look } from './check.ts'
import { type Asks, type Containers, inspected, serviceOf, withDocker } from './docker.ts'
import { isElsewhere, saidOf } from './place.ts'

/** Images by service, as `name:tag`, `name@sha256:…` or a bare `sha256:…` (of the configuration or of the manifest). */
export type Images = Readonly<Record<string, string>>

/** What runs of a service: every name by which its image can be told. */
export type Running = { readonly service: string; readonly container: string; readonly image: string; readonly digests: readonly string[] }

/** What a team writes, or a release's record gives, of the images that must run. */
export type ImageDriftOptions = Containers & {
  readonly name?: string
  readonly images: Images | ((doing: Doing) => Promise<Images>)
}

/** Whether the images that run are those that were put there: nobody changed a container by hand. */
export function imageDrift(options: ImageDriftOptions): Check {
  const { images, project } = options
  return {
    name: options.name ?? `images of ${saidOf(options)}${project}`,
    kind: 'image-drift',
    limitMs: isElsewhere(options) ? 2 * LIMIT_MS : LIMIT_MS,
    async look(doing) {
      const [wanted, running] = await Promise.all([typeof images === 'function' ? images(doing) : images, runningImages(options, doing)])
      return driftVerdict(wanted, running)
    },
  }
}

/** The verdict on what runs against what was recorded. Services that the record does not name are not judged. */
export function driftVerdict(recorded: Images, running: readonly Running[]): Look {
  const bad = Object.entries(recorded).flatMap(([service, wanted]) => {
    const its = running.filter(one => one.service === service)
    if (its.length === 0) return [`${service} does not run; ${brief(wanted)} is recorded`]
    return its.filter(one => !isOf(one, wanted)).map(one => `${service} runs ${brief(one.digests[0] ?? one.image)}, not ${brief(wanted)}`)
  })
  const measured = { services: Object.keys(recorded).length, drifted: bad.length }
  if (bad.length > 0) return { is: 'unhealthy', says: bad.join('; '), measured }
  return { is: 'healthy', says: `${measured.services} of ${measured.services} services run what is recorded`, measured }
}

/** A digest is proof; a name without one is only compared with the name that the container was made from. */
function isOf({ image, digests }: Running, wanted: string): boolean {
  const digest = /sha256:[0-9a-f]{64}$/.exec(wanted)?.[0]
  return digest === undefined ? image === wanted : digests.some(one => one.endsWith(digest))
}

/** `backend@sha256:91c0a2…` */
const brief = (image: string) => image.replace(/(sha256:[0-9a-f]{12})[0-9a-f]+/, '$1…')

function runningImages(at: Containers, doing: Doing): Promise<Running[]> {
  return withDocker(at, doing, async ask => {
    const all = (await inspected(ask, at.project)).filter(({ State }) => State.Status === 'running')
    const repositories = await digestsOf(ask, [...new Set(all.map(({ Image }) => Image))])
    return all.map(container => ({
      service: serviceOf(container),
      container: container.Name,
      image: container.Config.Image,
      digests: [container.Image, ...(repositories.get(container.Image) ?? [])],
    }))
  })
}

/** The digests under which images were pulled or pushed; none for one that was only built here. */
async function digestsOf(ask: Asks, ids: readonly string[]): Promise<Map<string, readonly string[]>> {
  if (ids.length === 0) return new Map()
  const images = JSON.parse(await ask('image', 'inspect', ...ids)) as { Id: string; RepoDigests?: readonly string[] | null }[]
  return new Map(images.map(({ Id, RepoDigests }) => [Id, RepoDigests ?? []]))
}
