import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { canonical } from '../../../plan/nodes.ts'
import type { Doing } from '../../../plan/plan.ts'
import { textOf } from '../../../plan/secrets.ts'
import type { ConfiguredService, Proof } from '../../configured.ts'
import type { Site } from '../site.ts'
import { missingFrom, missingRules, type RuleGroup, type SaidGroup } from './contains.ts'

/** What a service has in use: names of its files, what is in one, when they were put there, and when it began to run, in milliseconds. */
export type InUse = {
  readonly names: readonly string[]
  read(name: string): Promise<string>
  readonly appliedMs: number
  readonly startedMs: number
}

/** What a service says: a fingerprint of its configuration, null without an answer, and why it is not proven that this is what its files say. */
export type Says = { readonly says: string | null; readonly wrong: string | null }

/** Longest time for one answer, in milliseconds. */
const ANSWER_MS = 5_000

type Answer = { readonly status: number; readonly body: string }
type Ask = (path: string, headers?: Readonly<Record<string, string>>) => Promise<Answer>

/** An answer that proves nothing. */
class Unproven extends Error {}

const fingerprint = (value: unknown) => createHash('sha256').update(canonical(value)).digest('hex')

/** Asks a service what it runs, over its loopback port on the host; never throws for what it answers, or that it does not. */
export async function saysOf(site: Site, service: ConfiguredService, use: InUse, doing: Doing): Promise<Says> {
  const port = await site.host.port(service.proof.port, doing)
  const ask: Ask = async (path, headers = {}) => {
    const signal = AbortSignal.any([doing.signal, AbortSignal.timeout(ANSWER_MS)])
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers, signal, redirect: 'manual' })
    return { status: answer.status, body: await answer.text() }
  }
  try {
    return await KINDS[service.proof.kind](service.proof as never, ask, use, service)
  } catch (error) {
    doing.signal.throwIfAborted()
    if (error instanceof Unproven) return { says: null, wrong: error.message }
    const cause =
      error instanceof Error && error.cause instanceof Error ? error.cause.message : error instanceof Error ? error.message : String(error)
    return { says: null, wrong: `it does not answer on port ${service.proof.port}: ${cause}` }
  }
}

const KINDS: {
  readonly [K in Proof['kind']]: (proof: Extract<Proof, { kind: K }>, ask: Ask, use: InUse, service: ConfiguredService) => Promise<Says>
} = {
  prometheus,
  alertmanager,
  grafana,
  http,
}

async function good(ask: Ask, path: string): Promise<string> {
  const { status, body } = await ask(path)
  if (status !== 200) throw new Unproven(`${path} answers ${status}: ${body.trim().slice(0, 120)}`)
  return body
}

async function parsed<T>(ask: Ask, path: string): Promise<T> {
  const body = await good(ask, path)
  try {
    return JSON.parse(body) as T
  } catch {
    throw new Unproven(`${path} answers what is no JSON`)
  }
}

/** Why a service has not read its files since they were put there, by its own figures; null when it has. */
async function notReloaded(ask: Ask, name: string, { appliedMs }: InUse): Promise<string | null> {
  const metrics = await good(ask, '/metrics')
  const figure = (of: string) => Number(new RegExp(`^${name}_config_last_reload_${of} (\\S+)$`, 'm').exec(metrics)?.[1])
  if (figure('successful') === 0) return 'it says that it refused its configuration when it last read it'
  return figure('success_timestamp_seconds') * 1_000 >= appliedMs ? null : 'it has not read its configuration since it was changed'
}

async function prometheus({ file }: { file: string }, ask: Ask, use: InUse): Promise<Says> {
  const { parse } = await import('yaml')
  const config = (await parsed<{ data: { yaml: string } }>(ask, '/api/v1/status/config')).data.yaml
  const { groups } = (await parsed<{ data: { groups: readonly SaidGroup[] } }>(ask, '/api/v1/rules')).data
  const told = groups.map(({ name, rules }) => [
    name,
    rules.map(({ name, query, duration, labels, annotations }) => [name, query, duration, labels, annotations]),
  ])
  const says = fingerprint([config, told])
  const stale = await notReloaded(ask, 'prometheus', use)
  if (stale !== null) return { says, wrong: stale }
  const main = parse(await use.read(file)) as { rule_files?: readonly string[] }
  const missing = missingFrom(main, parse(config)) ?? missingRules(await rulesOf(main.rule_files ?? [], file, use), groups)
  return { says, wrong: missing === undefined ? null : `what it says it runs is not what ${file} says: ${missing}` }
}

async function rulesOf(globs: readonly string[], file: string, use: InUse): Promise<RuleGroup[]> {
  const { parse } = await import('yaml')
  const folder = posix.dirname(file)
  const patterns = globs.map(glob =>
    posix
      .join(folder, glob)
      .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '[^/]*')
      .replaceAll('?', '[^/]'),
  )
  const names = use.names.filter(name => patterns.some(pattern => new RegExp(`^${pattern}$`).test(name)))
  const files = await Promise.all(names.map(async name => parse(await use.read(name)) as { groups?: readonly RuleGroup[] } | null))
  return files.flatMap(one => one?.groups ?? [])
}

async function alertmanager({ file }: { file: string }, ask: Ask, use: InUse): Promise<Says> {
  const { parse } = await import('yaml')
  const { original } = (await parsed<{ config: { original: string } }>(ask, '/api/v2/status')).config
  const says = fingerprint(original)
  const stale = await notReloaded(ask, 'alertmanager', use)
  if (stale !== null) return { says, wrong: stale }
  const missing = missingFrom(parse(await use.read(file)), parse(original))
  return { says, wrong: missing === undefined ? null : `what it says it runs is not what ${file} says: ${missing}` }
}

/** It reads its sources when it starts, and says which boards it has to whom it knows. */
async function grafana(proof: Extract<Proof, { kind: 'grafana' }>, ask: Ask, use: InUse, service: ConfiguredService): Promise<Says> {
  const { database, version = '' } = await parsed<{ database: string; version?: string }>(ask, '/api/health')
  if (database !== 'ok') return { says: null, wrong: `its database is ${database}` }
  const boards = await boardsOf(proof, ask, use, service)
  const says = fingerprint([version, boards.found])
  if (use.startedMs < use.appliedMs) return { says, wrong: 'it has not been started since its configuration was changed' }
  return { says, wrong: boards.absent.length === 0 ? null : `it does not have the boards ${boards.absent.join(', ')}` }
}

async function boardsOf(
  { boards, user = 'admin', password = '' }: Extract<Proof, { kind: 'grafana' }>,
  ask: Ask,
  use: InUse,
  service: ConfiguredService,
) {
  const secret = service.secrets?.[password]
  if (boards === undefined || secret === undefined) return { found: null, absent: [] }
  const authorization = `Basic ${Buffer.from(`${user}:${textOf(secret)}`).toString('base64')}`
  const { status, body } = await ask('/api/search?type=dash-db&limit=5000', { authorization })
  // The first user's password may have been changed since: then nobody can be asked.
  if (status !== 200) return { found: null, absent: [] }
  const wanted = use.names.filter(name => name.startsWith(`${boards}/`) && name.endsWith('.json'))
  const uids = await Promise.all(wanted.map(async name => (JSON.parse(await use.read(name)) as { uid?: string }).uid ?? ''))
  const known = new Set((JSON.parse(body) as readonly { uid: string }[]).map(({ uid }) => uid))
  const own = uids.filter(uid => uid !== '').sort()
  return { found: own.filter(uid => known.has(uid)), absent: own.filter(uid => !known.has(uid)) }
}

async function http({ path, contains }: Extract<Proof, { kind: 'http' }>, ask: Ask, use: InUse, { apply, folder }: ConfiguredService): Promise<Says> {
  const body = await good(ask, path)
  if (contains !== undefined && !body.includes(contains)) return { says: null, wrong: `${path} answers without ${JSON.stringify(contains)}` }
  const stale = apply === 'restart' && folder !== undefined && use.startedMs < use.appliedMs
  return { says: fingerprint([path, contains ?? null]), wrong: stale ? 'it has not been started since its configuration was changed' : null }
}
