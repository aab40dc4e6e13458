import { spent } from '../../plan/durations.ts'
import { changes } from '../difference.ts'
import type { ReleaseSite } from '../site.ts'
import { type ConfiguredFacts, driftOf, isAsWanted, namedServices, type ServiceFacts, wellSaid } from './facts.ts'

const versionOf = ({ name, bundle }: ServiceFacts) => bundle.services[name]?.version ?? ''

/** What is asked for is said of configured services alone: releases go through slots, and are a run of their own. */
export function configuresOnly(site: ReleaseSite, asked: { readonly set: readonly string[]; readonly service: readonly string[] }) {
  const { names } = namedServices(site, asked)
  const released = names.filter(name => site.services.has(name))
  const strange = names.find(name => !site.services.has(name) && !site.configured?.has(name))
  const malformed = asked.set.find(pair => !wellSaid(pair))
  const configured = names.filter(name => site.configured?.has(name))
  return [
    {
      title: 'services are known',
      holds: strange === undefined,
      because: `There is no service "${strange}"; there are ${[...site.services.keys(), ...(site.configured ?? [])].join(', ')}`,
      exit: 2 as const,
    },
    {
      title: 'versions are said',
      holds: malformed === undefined,
      because: `--set=${malformed} is written --set <service>=<version>`,
      exit: 2 as const,
    },
    {
      title: 'they go the same way',
      holds: released.length === 0,
      because: `${released.join(', ')} is released in slots, ${configured.join(', ')} by new configuration: they are two runs`,
      mend: `name only ${configured.map(name => `--service=${name}`).join(' ')}, and then ${released.map(name => `--service=${name}`).join(' ')}`,
      exit: 2 as const,
    },
  ]
}

/** Only configured services go back one by one. */
export function configuresAll(site: ReleaseSite, names: readonly string[]) {
  const other = names.find(name => !site.configured?.has(name))
  const known = [...(site.configured ?? [])].join(', ') || 'none'
  const why = site.services.has(other ?? '') ? ', and a release is gone back from as a whole: leave --service out' : `; there are ${known}`
  return [{ title: 'it goes back alone', holds: other === undefined, because: `${other} is no configured service${why}`, exit: 2 as const }]
}

/** At least one of the services is to become other than it is. */
export const configurationChanges = ({ services }: ConfiguredFacts) => ({
  title: 'something changes',
  holds: services.length === 0 || services.some(service => !isAsWanted(service)),
  because: `${services.map(one => `${one.name} ${versionOf(one)}`).join(', ')} already runs with the same files and secrets, and says so`,
})

/** Every service has a verified configuration to go back to, with its files. */
export const configurationsThere = ({ missing }: ConfiguredFacts, to: string | undefined) => ({
  title: 'there is a configuration to go back to',
  holds: missing.length === 0,
  because: `There is nothing to go back to of ${missing.join(', ')}: ${
    to === undefined ? 'no configuration was verified before the one in use, or its files are not as they were' : `no configuration "${to}" is kept`
  }`,
})

/** What changes, a line a service with its files and secrets by name; and what somebody changed by hand. */
export function configurationDifference({ services }: ConfiguredFacts): string[] {
  return services.flatMap(one => {
    const { name, state, current, bundle } = one
    const to = versionOf(one)
    const image = !state.runs ? `new: ${to}` : state.version === to ? to : `${state.version} → ${to}`
    const before = current?.bundle
    return [
      `  ${name}  ${image}${isAsWanted(one) ? ', as it is' : ''}`,
      ...(before
        ? [...changes('file', before.files, bundle.files), ...changes('secret', before.secrets, bundle.secrets)].map(line => `  ${line}`)
        : []),
      ...driftOf(one).map(line => `! ${name}: ${line}; this replaces it`),
    ]
  })
}

/** What stands when a configuration was taken back. */
export const stillConfigured = ({ services }: ConfiguredFacts) =>
  services.map(({ name, state }) => (state.runs ? `${name} runs its former configuration` : `${name} does not run, as before`)).join(', ')

/** How a change of configured services ended well. */
export function configuredEnd(site: ReleaseSite, { services }: ConfiguredFacts, began: Date, word: string) {
  // A run that was settled later finds everything as wanted.
  const [changed] = [services.filter(one => !isAsWanted(one)), services].filter(list => list.length > 0) as [readonly ServiceFacts[]]
  const back = changed.filter(({ current }) => current !== undefined).map(({ name }) => `--service=${name}`)
  const names = changed.map(one => `${one.name} ${versionOf(one)}`).join(', ')
  return {
    word,
    says: `${names} ${changed.length === 1 ? 'runs its configuration and says' : 'run their configurations and say'} so, after ${spent(Date.now() - began.getTime())}`,
    result: {
      services: Object.fromEntries(
        changed.map(one => [one.name, { release: one.bundle.release, version: versionOf(one), previous: one.state.release }]),
      ),
    },
    next:
      back.length > 0 && word === 'CONFIGURED'
        ? [`npx zx runbooks/rollback.ts --stack=${site.stack} --environment=${site.environment} ${back.join(' ')}`]
        : [],
  }
}
