import { homedir } from 'node:os'
import type { DataSite } from '../backups/site.ts'
import { reachableFirst } from '../backups/stores.ts'
import { self } from '../exec/survivors.ts'
import { Trouble } from '../plan/outcome.ts'
import { platformOf } from '../releases/site.ts'
import type { Environment } from '../stack/describe.ts'
import { configFolder, home } from '../stack/home.ts'
import { loadStack, makeAudience, makeSite, stackNames, withoutMembers } from '../stack/load.ts'
import { Settings } from '../stack/settings.ts'
import { VERBS } from '../verbs.ts'
import { type Announcer, announce } from './announce.ts'
import * as ask from './ask.ts'
import type { Verbs } from './context.ts'
import { doneOutcome } from './ends.ts'
import { nearest } from './nearest.ts'
import { type Choice, COMMON, type Common, type From, flagName, type Option, type Options, parse, type Values } from './options.ts'
import { nameRun } from './prepare.ts'
import type { Definition, End } from './runbook.ts'
import { atOf, looking, type Session } from './session.ts'
import { widthOf } from './show/style.ts'
import { table } from './show/table.ts'
import { wrap } from './show/text.ts'
import { watch } from './show/watch.ts'

/** A name from a list: given and known, or asked for; Trouble(2) otherwise. Undefined = the question was cancelled. */
async function oneOf(what: 'stack' | 'environment', given: unknown, names: readonly string[], canAsk: boolean): Promise<string | undefined> {
  if (typeof given === 'string') {
    if (!names.includes(given)) throw new Trouble(2, `There is no ${what} "${given}".${nearest(given, names)}`)
    return given
  }
  if (!canAsk)
    throw new Trouble(2, `Which ${what}? Give --${what}=<name>.${nearest('', names)}`, { next: names.map(name => `--${what}=${name}`).slice(0, 5) })
  return (
    (await ask.select(
      COMMON[what].ask ?? what,
      names.map(name => ({ value: name, name })),
    )) ?? undefined
  )
}

/** Loads the stack and builds the members of one environment; undefined when a question was cancelled. */
export async function openSession(
  definition: Definition<Options, unknown>,
  given: Record<string, From>,
  argv: readonly string[],
  abort: AbortController,
  opened: (announcer: Announcer) => void,
): Promise<Session | undefined> {
  const canAsk = ask.canAsk() && given.json?.value !== true
  const folder = configFolder()
  if (canAsk && (given.stack?.value === undefined || given.environment?.value === undefined))
    process.stderr.write(`${wrap(definition.does, widthOf(process.stderr)).join('\n')}\n`)
  const name = await oneOf('stack', given.stack?.value, stackNames(folder), canAsk)
  if (name === undefined) return undefined
  const stack = await loadStack(folder, name)
  const environment = await oneOf('environment', given.environment?.value, Object.keys(stack.environments), canAsk)
  if (environment === undefined) return undefined
  const settings = await Settings.read(process.env, folder, name, environment)
  // The env file comes after flags and the process environment, so it fills only what they left open.
  const filed = parse({ ...COMMON, ...definition.options }, [], settings.options)
  const merged = Object.fromEntries(
    Object.entries(given).map(([key, from]) => [
      key,
      from.from === 'default' && filed[key]?.from !== 'default' ? { ...filed[key], from: settings.file } : from,
    ]),
  ) as Record<string, From>
  merged.stack ??= { value: name, from: 'asked' }
  const options = Object.fromEntries(Object.entries(merged).map(([key, { value }]) => [key, value])) as Values<Options> & Common
  const chosen = stack.environments[environment] as Environment
  const isProtected = chosen.protected === true
  // Before the members are built: that they cannot be is to be told, too.
  const announcer = announce({ definition, options, stack, environment, attended: canAsk, audience: await makeAudience(chosen, settings) })
  opened(announcer)
  if (definition.members === 'platform' && !chosen.platform) platformOf({ stack: name, environment })
  const described = definition.members ? withoutMembers(stack, environment, definition.members) : stack
  const made = await makeSite(described, environment, settings, typeof merged.store?.value === 'string' ? merged.store.value : undefined)
  const site = await reachableFirst(made, looking({ abort }, definition.name))
  await unlock(site, merged.identity?.value)
  const subject = `${name}/${environment}`
  return {
    definition,
    use: await definition.uses?.(),
    given: { ...merged, ...Object.fromEntries(settings.used.map(used => [used.name, { value: used.value, from: used.from }])) },
    options,
    argv,
    site,
    stack: { description: stack, environment },
    subject,
    protected: isProtected,
    verbs: { ...(VERBS as unknown as Verbs), ...definition.verbs },
    home: home(),
    by: self(),
    consents: { yes: options.yes, confirm: options.confirm, subject, protected: isProtected, canAsk },
    abort,
    current: {},
    watcher: await watch(process.stderr, process.env, { quiet: options.quiet }),
    announcer,
    tell: text => process.stderr.write(text),
  }
}

async function choicesOf(session: Session, option: Option<unknown>): Promise<readonly Choice[] | undefined> {
  return option.choices ? option.choices(atOf(session, nameRun(session.definition.name)) as never) : undefined
}

async function answer(session: Session, option: Option<unknown>): Promise<unknown> {
  const offered = await choicesOf(session, option)
  const best = offered?.find(choice => choice.best)
  const choices = offered?.map(choice => ({
    value: choice.value,
    name: choice.name ?? choice.value,
    ...(choice.name === undefined ? {} : { short: choice.value }),
    ...(choice.disabled ? { disabled: choice.disabled } : {}),
  }))
  if (option.kind === 'many' && choices)
    return ask.checkbox(
      option.ask ?? '',
      choices.map(choice => ({ ...choice, checked: true })),
    )
  if (choices) return ask.select(option.ask ?? '', choices, best ? { preselected: best.value } : {})
  const hint = option.hint ? await option.hint(atOf(session, nameRun(session.definition.name)) as never) : ''
  return ask.input([option.ask ?? '', hint].filter(Boolean).join(' '))
}

/** Whether nothing was said. */
const isOpen = (value: unknown) => value === undefined || value === false || (Array.isArray(value) && value.length === 0)

/** Asks for what is missing, on a terminal only; a cancelled question ends the run with nothing touched. */
export async function fillIn(session: Session): Promise<Session> {
  const { definition, options, consents } = session
  const filled: Record<string, unknown> = { ...options }
  for (const [key, option] of Object.entries(definition.options)) {
    const value = filled[key]
    if (!option.ask || !isOpen(value) || option.unless?.some(other => !isOpen(filled[other]))) continue
    if (option.when && !option.when(atOf(session, nameRun(definition.name)) as never)) continue
    if (!consents.canAsk || (consents.yes && !option.needed)) {
      if (option.needed) throw new Trouble(2, `--${flagName(key)} is missing: ${option.help}`)
      continue
    }
    const said = await answer({ ...session, options: filled as Session['options'] }, option)
    if (said === null) throw session.abort.signal.aborted ? session.abort.signal.reason : new Trouble(3, 'Declined before anything was done')
    filled[key] = said
  }
  await unlock(session.site, filled.identity)
  return { ...session, options: filled as Session['options'] }
}

/** Reads the identity file that was named, once; a passphrase is asked for and never kept. */
async function unlock(site: DataSite, file: unknown): Promise<void> {
  if (typeof file !== 'string' || site.identities.length > 0) return
  const { readIdentities } = await import('../backups/encryption.ts')
  const passphrase = async () => (ask.canAsk() ? await ask.passphrase(`Passphrase of ${file}`) : undefined)
  site.identities.push(...(await readIdentities(file.replace(/^~(?=\/)/, homedir()), passphrase)))
}

/** Each value with where it came from; secrets are masked by their type. */
export function showConfig(session: Session): { outcome: ReturnType<typeof doneOutcome>; end: End } {
  const shown = (value: unknown) =>
    value === undefined ? '–' : typeof value === 'string' ? value : Array.isArray(value) && value.length === 0 ? '–' : String(value)
  const rows = [
    ...Object.entries(session.given).map(([key, { value, from }]) => [key, shown(value), from]),
    ...[...session.site.parts].map(([name, part]) => [`data.${name}`, `${part.kind} ${part.where}`, 'stack file']),
    ...[...session.site.stores].map(([name, store]) => [`stores.${name}`, store.where, 'stack file']),
  ]
  const summary = table(
    ['name', 'value', 'from'].map(title => ({ title })),
    rows,
  )
  const result = rows.map(([name = '', value = '', from = '']) => ({ name, value, from }))
  return { outcome: doneOutcome({ says: 'nothing was touched' }), end: { says: '', summary, result } }
}
