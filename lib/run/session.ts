import { STATE_FOLDER } from '../backups/catalogue.ts'
import { folderOf, storeOf } from '../backups/site.ts'
import { quote } from '../exec/command.ts'
import type { By } from '../plan/journal.ts'
import type { Doing, Json } from '../plan/plan.ts'
import type { ReleaseSite } from '../releases/site.ts'
import type { StackInUse } from '../stack/describe.ts'
import type { Cell } from '../stores/store.ts'
import type { Announcer } from './announce.ts'
import type { Consents } from './consent.ts'
import type { Verbs } from './context.ts'
import type { Journal } from './journal.ts'
import { type Common, type From, flagName, type Options, type Values } from './options.ts'
import type { At, Definition, RunName } from './runbook.ts'
import type { Watcher } from './show/watcher.ts'

/** One invocation of a runbook, from the parsed flags to its end. */
export type Session = {
  readonly definition: Definition<Options, unknown>
  /** What the runbook uses, loaded. */
  readonly use: unknown
  readonly given: Readonly<Record<string, From>>
  readonly options: Values<Options> & Common
  readonly argv: readonly string[]
  readonly site: ReleaseSite
  readonly stack: StackInUse
  readonly subject: string
  readonly protected: boolean
  readonly verbs: Verbs
  readonly home: string
  readonly by: By
  readonly consents: Consents
  readonly abort: AbortController
  /** The journal that a second Ctrl-C must leave intact and speak of. */
  readonly current: { journal?: Journal }
  readonly watcher: Watcher
  readonly announcer: Announcer
  /** Text for people, on stderr. */
  readonly tell: (text: string) => void
}

/** A doing for looks outside of steps. */
export function looking(session: Pick<Session, 'abort'>, run: string): Doing {
  return { run, signal: session.abort.signal, progress: () => undefined, spawned: () => undefined }
}

/** What a runbook's functions are given. */
export function atOf(session: Session, run: RunName, options: Values<Options> = session.options): At<Options> {
  return {
    use: session.use,
    site: session.site,
    stack: session.stack,
    options,
    protected: session.protected,
    run,
    doing: looking(session, run.id),
    tryChannels: session.announcer.tryChannels,
  }
}

/** The cell of a lease: with the application itself for what changes its releases, beside its backups for the rest. */
export function cellOf(site: ReleaseSite, lease: string): Cell {
  if (lease === 'release' && site.platform) return site.platform.cell(lease)
  return storeOf(site, site.keeper).cell(`${folderOf(site)}/${STATE_FOLDER}/${lease}.json`)
}

/** The addresses that a plan aims at; recovery refuses when they are not the same any more. */
export function targetOf(site: ReleaseSite, lease: string): Json {
  return {
    ...(site.platform && lease === 'release' ? { platform: site.platform.where } : {}),
    parts: Object.fromEntries([...site.parts].map(([name, part]) => [name, part.where])),
    stores: Object.fromEntries([...site.stores].map(([name, store]) => [name, store.where])),
  }
}

/** The command with which an operator does something else to this stack. */
export function commandFor(session: Pick<Session, 'site'>, runbook: string, flags = ''): string {
  return `npx zx runbooks/${runbook}.ts --stack=${session.site.stack} --environment=${session.site.environment}${flags ? ` ${flags}` : ''}`
}

/** What was typed, complete and ready to paste. */
export function commandLine(session: Pick<Session, 'definition' | 'argv'>): string {
  return ['npx', 'zx', `runbooks/${session.definition.name}.ts`, ...session.argv].join(' ')
}

/** The command that begins this anew, with what was typed or answered; consents are for a person to give again. */
export function commandAgain({ definition, site, options }: Pick<Session, 'definition' | 'site' | 'options'>): string {
  const flags = Object.entries(definition.options).flatMap(([key, option]) => {
    const value = options[key]
    if (option.consent || !['flag', 'text', 'many'].includes(option.kind)) return []
    if (option.kind === 'flag') return value === true ? [`--${flagName(key)}`] : []
    return [value ?? []].flat().map(one => `--${flagName(key)}=${quote(String(one))}`)
  })
  return commandFor({ site }, definition.name, flags.join(' '))
}
