import { readdirSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { PointRelease } from '../backups/manifest.ts'
import { writersByCommand } from '../backups/writers.ts'
import type { Command } from '../exec/process.ts'
import { user } from '../exec/survivors.ts'
import type { Notifier } from '../notify/notify.ts'
import { NOTIFIERS, unbuilt as unbuiltNotifier } from '../notify/registry.ts'
import { ms } from '../plan/durations.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Doing } from '../plan/plan.ts'
import type { Secret } from '../plan/secrets.ts'
import type { ConfiguredService } from '../platforms/configured.ts'
import type { Platform, Service } from '../platforms/platform.ts'
import { PLATFORMS } from '../platforms/registry.ts'
import { isUnbuilt, unbuilt } from '../platforms/unbuilt.ts'
import type { ReleaseSite } from '../releases/site.ts'
import { SOURCES } from '../sources/registry.ts'
import type { Source } from '../sources/source.ts'
import { STORES } from '../stores/registry.ts'
import type { Store } from '../stores/store.ts'
import { checksOf, makeChecks } from './checks.ts'
import { deployOf, freezesOf } from './deploy.ts'
import type { Environment, StackDescription } from './describe.ts'
import { inHome, ROOT } from './home.ts'
import { placed } from './places.ts'
import { checkStack } from './schema.ts'
import { type Settings, settle, settleDeep } from './settings.ts'
import { makeWants } from './setup.ts'

/** Names of the stacks of a config folder. */
export function stackNames(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter(name => name.endsWith('.ts') && !name.endsWith('.d.ts'))
      .map(name => basename(name, '.ts'))
      .sort()
  } catch {
    throw new Trouble(2, `There is no folder ${folder}`, {
      next: [`mkdir -p ${folder}`, 'or point RUNBOOKS_CONFIG at the folder with your stack files'],
    })
  }
}

let hooked = false

/** Lets stack files anywhere import 'runbooks': outside the clone there is no such package to be found. */
function serveOwnName(): void {
  if (hooked) return
  hooked = true
  const index = pathToFileURL(join(ROOT, 'lib/index.ts')).href
  registerHooks({ resolve: (specifier, context, next) => (specifier === 'runbooks' ? { url: index, shortCircuit: true } : next(specifier, context)) })
}

/** Reads and checks a stack file. Trouble(2) for a file that does not load or is not valid. */
export async function loadStack(folder: string, name: string): Promise<StackDescription> {
  serveOwnName()
  const file = join(folder, `${name}.ts`)
  const module = (await import(pathToFileURL(file).href).catch(cause => {
    throw new Trouble(2, `${file} could not be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, { cause, look: [`less ${file}`] })
  })) as { default?: unknown }
  const stack = await checkStack(module.default, file)
  if (stack.name !== name) throw new Trouble(2, `${file} describes a stack named "${stack.name}"; name the file ${stack.name}.ts`)
  return stack
}

const command = (argv: readonly string[]): Command => ({ file: argv[0] ?? '', argv: argv.slice(1) })

async function makeParts(described: Environment['data'] & object, settings: Settings, platform?: Platform): Promise<Map<string, Source>> {
  const made = Object.entries(described).map(async ([name, part]) => {
    const entry = SOURCES[part.kind as keyof typeof SOURCES]
    return [name, await entry.make(name, placed(settle(part.options, settings, entry.paths), platform) as never)] as const
  })
  return new Map(await Promise.all(made))
}

async function makeStores(environment: Environment, settings: Settings): Promise<Map<string, Store>> {
  const made = environment.stores.map(async store => {
    const entry = STORES[store.kind as keyof typeof STORES]
    return entry.make({ name: store.kind, ...settle(store.options, settings, entry.paths) } as never)
  })
  const stores = await Promise.all(made)
  const twice = stores.find((store, i) => stores.findIndex(other => other.name === store.name) !== i)
  if (twice) throw new Trouble(2, `Two stores are named "${twice.name}"; give them names: directory({ name: 'near', … })`)
  return new Map(stores.map(store => [store.name, store]))
}

/** The stores with the one that is read from in front. Trouble(2) for a name that none has. */
function first(stores: Map<string, Store>, reading: string | undefined): Map<string, Store> {
  if (reading === undefined) return stores
  const wanted = stores.get(reading)
  if (!wanted) throw new Trouble(2, `There is no store "${reading}"; there are ${[...stores.keys()].join(', ')}`)
  return new Map([[reading, wanted], ...stores])
}

/** The stack without data and stores, for what only reads the stack file, or only works on the platform. */
export function withoutMembers(stack: StackDescription, name: string, keeps: 'none' | 'platform'): StackDescription {
  const { encryption: _, ...backups } = stack.backups ?? {}
  const { platform, ...kept } = stack.environments[name] as Environment
  const only = keeps === 'platform' && platform ? { platform } : {}
  const environment = { ...kept, ...only, data: {}, stores: [], notify: [] } as unknown as Environment
  return { ...stack, backups, environments: { [name]: environment } }
}

/** Who is told of what runs of an environment come to, and the file of its metrics. */
export type Audience = { readonly notifiers: readonly Notifier[]; readonly metrics?: string }

/** The channels of one environment. One that cannot be built, such as one whose secret is not set, keeps no work from being done: it fails when it is told something. */
export async function makeAudience({ notify = [], metrics }: Environment, settings: Settings): Promise<Audience> {
  const notifiers = notify.map(async ({ kind, options }) => {
    try {
      return await NOTIFIERS[kind as keyof typeof NOTIFIERS].make(settle(options, settings, []) as never)
    } catch (error) {
      return unbuiltNotifier(kind, options, error)
    }
  })
  return { notifiers: await Promise.all(notifiers), ...(metrics === undefined ? {} : { metrics: inHome(metrics) }) }
}

/** The configured services, with their secrets read. */
function configuredOf({ configured = {} }: StackDescription, settings: Settings): ConfiguredService[] {
  return Object.entries(configured).map(([service, { apply = 'restart', secrets = {}, ...of }]) => ({
    name: service,
    apply,
    secrets: settleDeep(secrets, settings, { paths: [], assets: [] }) as Readonly<Record<string, Secret>>,
    ...of,
  }))
}

async function makePlatform(stack: StackDescription, name: string, services: readonly Service[], settings: Settings): Promise<Platform | undefined> {
  const described = stack.environments[name]?.platform
  if (!described) return undefined
  const entry = PLATFORMS[described.kind as keyof typeof PLATFORMS]
  try {
    const options = settleDeep(described.options, settings, { paths: entry.paths, assets: entry.assets })
    return await entry.make({ stack: stack.name, environment: name, services, configured: configuredOf(stack, settings) }, options as never)
  } catch (error) {
    return unbuilt(described.kind, error)
  }
}

/** The release that serves on a platform; null when nothing does, or when it cannot be looked at. */
async function servingOn(platform: Platform, doing: Doing): Promise<PointRelease | null> {
  if ((await platform.facts(doing)).state !== 'answers') return null
  const { slots, serving } = await platform.standing(doing)
  const slot = serving === null ? undefined : slots[serving]
  if (!slot || slot.release === null) return null
  const services = Object.entries(slot.services).map(([name, { version, digest }]) => [name, { version, digest }])
  return { release: slot.release, services: Object.fromEntries(services), files: (await platform.staged(slot.release, doing)) ?? {} }
}

/** The members of one environment, built; `reading` names the store that is read from. Secrets are read here and only for this environment. */
export async function makeSite(stack: StackDescription, name: string, settings: Settings, reading?: string): Promise<ReleaseSite> {
  const environment = stack.environments[name] as Environment
  const { writers } = environment
  const stores = await makeStores(environment, settings)
  const services = Object.entries(stack.services ?? {}).map(([service, of]): Service => ({ name: service, ...of }))
  const platform = await makePlatform(stack, name, services, settings)
  const switches = writers
    ? writersByCommand({ stop: command(writers.stop), start: command(writers.start), running: command(writers.running) })
    : platform && !isUnbuilt(platform)
      ? platform.writers
      : undefined
  return {
    ...(platform ? { platform } : {}),
    services: new Map(services.map(service => [service.name, service])),
    configured: new Set(Object.keys(stack.configured ?? {})),
    deploy: deployOf(stack, environment),
    freezes: freezesOf(environment, stack.timezone, settings),
    setup: () => makeWants({ description: stack, environment: name }, settings),
    approvals: environment.approvals ?? 0,
    stack: stack.name,
    environment: name,
    timezone: stack.timezone,
    parts: await makeParts(environment.data ?? stack.data, settings, platform),
    stores: first(stores, reading),
    keeper: [...stores.keys()][0] ?? '',
    checks: () => makeChecks(checksOf({ description: stack, environment: name }), settings, platform),
    ...(switches ? { writers: switches } : {}),
    ...(platform && !isUnbuilt(platform) ? { serving: doing => servingOn(platform, doing) } : {}),
    ...(stack.backups?.objectives?.dataLoss ? { dataLossMs: ms(stack.backups.objectives.dataLoss) } : {}),
    policy: stack.backups?.policy ?? 'all',
    identities: [],
    ...(stack.backups?.keep ? { keep: stack.backups.keep } : {}),
    ...(stack.backups?.encryption
      ? { encryption: { kind: 'age', recipients: stack.backups.encryption.recipients.map(one => String(settings.read(one))) } }
      : {}),
    by: { user: user(), host: hostname() },
  }
}
