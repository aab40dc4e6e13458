import { answering } from '../backups/facts.ts'
import { size } from '../plan/durations.ts'
import type { ImageFacts, ServiceState } from '../platforms/platform.ts'
import type { PartFacts } from '../sources/source.ts'
import type { Ran, ReleaseFacts } from './facts.ts'
import type { Freeze, ReleaseSite } from './site.ts'

/** One assertion before anything is touched; the mend stands beside it. */
type Assertion = { readonly title: string; readonly holds: boolean; readonly because: string; readonly mend?: string; readonly exit?: 2 | 3 | 8 }

/** The platform can be looked at, and has its tools. */
export function platformAnswers({ platform }: Pick<ReleaseFacts, 'platform'>): Assertion[] {
  const answers: Assertion = {
    title: 'the platform answers',
    holds: platform.state === 'answers',
    because: `${platform.where} ${platform.because ?? `is ${platform.state}`}`,
    ...(platform.mend ? { mend: platform.mend } : {}),
  }
  const tools = platform.tools.map(({ name, version, mend }) => ({
    title: `${name} is there`,
    holds: version !== null,
    because: `${name} is missing at ${platform.where}`,
    ...(mend ? { mend } : {}),
  }))
  return [answers, ...tools]
}

/** A part of the data can be backed up before anything changes. */
export function savable(part: PartFacts): Omit<Assertion, 'exit'> {
  const { title, holds, because } = answering(part)
  return { title, holds, because, mend: 'where there is no data yet, or another backup of it: --skip-backup, which is recorded' }
}

/** What is asked for is said of services that there are, once each. */
export function askedRight(
  site: ReleaseSite,
  asked: { version: string | undefined; set: readonly string[]; service: readonly string[] },
): Assertion[] {
  const known = [...site.services.keys(), ...(site.configured ?? [])].join(', ')
  const named = [...asked.service, ...asked.set.map(pair => pair.split('=')[0] ?? '')]
  const strange = named.find(name => !site.services.has(name))
  const malformed = asked.set.find(pair => !/^[^=]+=.+$/.test(pair))
  const twice = named.find((name, i) => asked.set.some(pair => pair.startsWith(`${name}=`)) && named.indexOf(name) < i)
  const odd = [asked.version, ...asked.set.map(pair => pair.slice(pair.indexOf('=') + 1))].find(
    version => version !== undefined && site.deploy.versions !== undefined && !new RegExp(site.deploy.versions).test(version),
  )
  const idle = asked.service.length > 0 && asked.version === undefined && asked.set.length === 0
  return [
    { title: 'services are known', holds: strange === undefined, because: `There is no service "${strange}"; there are ${known}`, exit: 2 },
    { title: 'versions are said', holds: malformed === undefined, because: `--set=${malformed} is written --set <service>=<version>`, exit: 2 },
    { title: 'each is said once', holds: twice === undefined, because: `${twice} gets two versions`, exit: 2 },
    {
      title: 'versions look right',
      holds: odd === undefined,
      because: `"${odd}" is no version of this stack: one matches ${site.deploy.versions}`,
      exit: 2,
    },
    { title: 'there is a version', holds: !idle, because: '--service chooses services, but no --version says which', exit: 2 },
  ]
}

/** Every service has a version to run. */
export function versionsKnown(wanted: Readonly<Record<string, string | undefined>>): Assertion[] {
  const open = Object.entries(wanted).filter(([, version]) => version === undefined)
  return [
    {
      title: 'every service has a version',
      holds: open.length === 0,
      because: `Nothing serves yet, so each service needs a version: ${open.map(([name]) => name).join(', ')}`,
      mend: `--version=<version>, or ${open.map(([name]) => `--set ${name}=<version>`).join(' ')}`,
      exit: 2,
    },
  ]
}

/** Every image can be run, by digest, and is not larger than the stack allows. */
export function imagesThere(site: ReleaseSite, images: readonly ImageFacts[]): Assertion[] {
  const limit = site.deploy.imageBytes
  return images.flatMap(image => {
    const name = `${image.image}:${image.version}`
    const there: Assertion = {
      title: `image of ${image.service}`,
      holds: ['present', 'pullable', 'unknown'].includes(image.state),
      because: `${name} is ${image.state}${image.because ? `: ${image.because}` : ''}`,
      ...(image.mend ? { mend: image.mend } : {}),
    }
    if (limit === undefined || image.sizeBytes === null) return [there]
    const holds = image.sizeBytes <= limit
    return [there, { title: `size of ${image.service}`, holds, because: `${name} has ${size(image.sizeBytes)}, more than ${size(limit)}` }]
  })
}

/** Images that nobody could look at: whether they are there is found out when the release starts. */
export const unseenImages = (images: readonly ImageFacts[]): string[] =>
  images.flatMap(({ state, image, version, because }) => (state === 'unknown' ? [`nobody could look at ${image}:${version}: ${because ?? ''}`] : []))

/** Room that must be left beside the images that are still to come: what a database writes in a bad hour. */
const ROOM_BYTES = 500_000_000

/** There is room for the images. */
export function roomThere({ platform }: Pick<ReleaseFacts, 'platform'>, images: readonly ImageFacts[]): Assertion[] {
  if (platform.freeBytes === null) return []
  const comes = images.filter(({ state }) => state === 'pullable').reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0)
  const needs = comes * 2 + ROOM_BYTES
  return [
    {
      title: 'there is room',
      holds: platform.freeBytes >= needs,
      because: `${platform.where} has ${size(platform.freeBytes)} left; ${size(needs)} are needed`,
      mend: 'make room: docker image ls, docker system df; never docker system prune, which removes what rolling back needs',
    },
  ]
}

/** Services that serve now and are down: with fewer instances than wanted, or, since a container that dies and is restarted again and again runs at times, fewer that are well. */
export function downNow(site: ReleaseSite, { serving }: ReleaseFacts): (readonly [name: string, state: ServiceState])[] {
  const isWatched = (name: string) => site.services.get(name)?.health !== undefined
  return Object.entries(serving?.services ?? {}).filter(
    ([name, { wanted, running, healthy }]) => running < wanted || (isWatched(name) && healthy < wanted),
  )
}

/** The same as sentences, with the causes. */
export function sickNow(site: ReleaseSite, facts: ReleaseFacts): string[] {
  return downNow(site, facts).map(([name, { wanted, running, healthy, because }]) => {
    const few = running < wanted ? `${running} of ${wanted} run` : `${healthy} of ${wanted} are healthy`
    return `${name}: ${few}${because ? `, ${because}` : ''}`
  })
}

/** Why nothing may be deployed now; undefined when something may. */
export function frozenNow(freezes: readonly Freeze[], nowMs: number): string | undefined {
  const found = freezes.find(freeze => (freeze.kind === 'set' ? freeze.set : freeze.fromMs <= nowMs && nowMs < freeze.toMs))
  if (!found) return undefined
  return found.kind === 'set' ? `${found.why} (${found.name} is set)` : `${found.why}, until ${new Date(found.toMs).toISOString().slice(0, 16)}Z`
}

/** No freeze, or DEPLOY was typed. */
export function notFrozen(site: ReleaseSite, overridden: boolean, nowMs: number): Assertion {
  const why = frozenNow(site.freezes, nowMs)
  return {
    title: 'no freeze',
    holds: why === undefined || overridden,
    because: `${site.stack}/${site.environment} is frozen: ${why}`,
    mend: 'wait, or type DEPLOY: --override-freeze=DEPLOY (it is recorded)',
  }
}

/** Somebody besides the operator agreed, where the environment wants it. */
export function approved(site: ReleaseSite, approvedBy: string | undefined): Assertion[] {
  if (site.approvals === 0) return []
  const people = (approvedBy ?? '')
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '')
  const others = new Set(people.map(name => name.toLowerCase()).filter(name => name !== site.by.user.toLowerCase()))
  const self = people.some(name => name.toLowerCase() === site.by.user.toLowerCase())
  return [
    {
      title: 'approved',
      holds: others.size >= site.approvals,
      because: self
        ? `Whoever deploys (${site.by.user}) cannot approve it: ${site.approvals} other ${site.approvals === 1 ? 'person' : 'people'} must`
        : `${site.stack}/${site.environment} needs the approval of ${site.approvals} other ${site.approvals === 1 ? 'person' : 'people'}`,
      mend: '--approved-by=<name>; in CI, who approved the environment',
    },
  ]
}

/** A command of the stack passed. */
export function passed(title: string, ran: Ran | undefined, skip?: string): Assertion[] {
  if (!ran) return []
  return [
    {
      title,
      holds: ran.code === 0,
      because: `${ran.argv.join(' ')} exited ${ran.code}: ${ran.said}`,
      ...(skip ? { mend: `mend it, or ${skip} (it is recorded)` } : {}),
    },
  ]
}

/** What was looked at and holds, in one line: a plan that is shown has passed all of it. */
export function preflightLine(
  site: ReleaseSite,
  facts: { readonly now: ReleaseFacts; readonly images: readonly ImageFacts[]; readonly tests?: Ran | undefined; readonly scans: readonly Ran[] },
  options: { readonly overrideFreeze: boolean; readonly approvedBy: string | undefined },
): string {
  const free = facts.now.platform.freeBytes
  const sick = sickNow(site, facts.now)
  const words = [
    ...(facts.images.some(({ state }) => state === 'unknown') ? [] : ['images']),
    ...(free === null ? [] : [`${size(free)} free`]),
    ...(facts.now.serving && sick.length === 0 ? ['healthy now'] : []),
    options.overrideFreeze ? 'freeze overridden' : 'no freeze',
    ...(facts.tests ? ['tests'] : []),
    ...(facts.scans.length > 0 ? ['scanned'] : []),
    ...(site.approvals > 0 ? [`approved by ${options.approvedBy}`] : []),
  ]
  return `  ${words.map(word => `✔ ${word}`).join('  ')}`
}
