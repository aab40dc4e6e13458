import { join } from 'node:path'
import { isAlive, self } from '../../exec/survivors.ts'
import { spent } from '../../plan/durations.ts'
import type { Seen } from '../../plan/plan.ts'
import { plain, type ServiceState, type SlotState } from '../platform.ts'
import { logName, type Place } from './place.ts'
import { type Ended, type Instance, type Kept, readAnyJson, readJson, type Wish } from './records.ts'
import { keeperOf } from './slots.ts'
import { lastLines } from './tail.ts'

/** A service without a health check counts as fit when it has been up for so long without a restart; merely running says nothing. */
const STEADY_MS = 2_000

/**
 * A service with a health check must have passed it for so long: one that ends right after its start may well have answered before. After an end it
 * must besides live so much longer than the last time.
 */
const HOLD_MS = 1_000

/** Ends of an instance that runs well for so long are forgiven. */
const FORGIVEN_MS = 10_000

/** Ends of one instance that make a release doomed: one may be bad luck. */
const STRIKES = 2

/** Last lines of a log that are shown. */
const LINES = 25

const ABSENT: SlotState = { release: null, is: 'absent', services: {} }

/** What is wanted of a slot and what is there, with processes that were looked for just now. */
type Found = { readonly wish: Wish; readonly instances: readonly Instance[]; readonly kept: boolean; readonly rebooted: boolean }

async function found(place: Place, slot: string): Promise<Found | null> {
  const wish = await readJson<Wish>(place.paths.wish(slot))
  if (!wish) return null
  const kept = await readAnyJson<Kept>(place.paths.kept(slot))
  const current = kept?.begun === wish.begun ? kept : undefined
  return {
    wish,
    instances: current?.instances ?? [],
    kept: (await keeperOf(place, slot)) !== null,
    rebooted: current !== undefined && current.keeper.boot !== self().boot,
  }
}

const running = ({ process }: Instance): boolean => process !== null && isAlive(process)

/** What stands in a slot. */
export async function slotState(place: Place, slot: string): Promise<SlotState> {
  const there = await found(place, slot)
  if (!there) return ABSENT
  const { wish, instances, kept } = there
  const services = Object.keys(wish.services).map(name => [name, serviceState(there, name)] as const)
  const runs = instances.some(running) || (wish.run === 'running' && kept)
  return { release: wish.release, is: runs ? 'running' : 'stopped', services: Object.fromEntries(services) }
}

function serviceState(there: Found, name: string): ServiceState {
  const { wish, kept } = there
  const { version = '', digest = null, instances: count = 0 } = wish.services[name] ?? {}
  const instances = there.instances.filter(({ service }) => service === name)
  const wanted = wish.run === 'running' && !wish.off.includes(name) ? count : 0
  const because = wanted === 0 ? undefined : whyNot(there, name, instances)
  return {
    version,
    digest,
    wanted,
    running: instances.filter(running).length,
    // What a keeper that is gone saw last is no health check's word.
    healthy: kept ? instances.filter(one => running(one) && one.health?.ok).length : 0,
    restarts: instances.reduce((sum, { restarts }) => sum + restarts, 0),
    ...(because === undefined ? {} : { because }),
  }
}

/** Why a service that is to run is not healthy; undefined when there is nothing to say. */
function whyNot(there: Found, name: string, instances: readonly Instance[]): string | undefined {
  if (there.rebooted) return 'the machine was started anew since, and nothing of it runs'
  if (!there.kept) return 'its keeper is gone, so nothing watches over it'
  const failed = instances.find(one => one.failed !== undefined)
  if (failed) return `it cannot be started: ${failed.failed}`
  const down = instances.find(one => !running(one) && !one.done)
  const last = down?.exits.at(-1)
  if (last) return `it ${how(last)}, ${spent(last.ranMs)} after its start`
  if (down || instances.length === 0) return 'it is being started'
  if (!there.wish.services[name]?.health) return undefined
  const sick = instances.find(({ health }) => !health?.ok)
  return sick ? (sick.health?.says ?? 'its health check has not answered yet') : undefined
}

const how = ({ code, signal }: Ended): string =>
  code !== null ? `exited ${code}` : signal !== null ? `was ended by ${signal}` : 'ended while nobody watched'

/** The word on one instance: nothing is wrong, or why it is not fit yet, or why it never will be. */
type Word = { readonly is: 'settled' } | { readonly is: 'moving' | 'doomed'; readonly because: string; readonly log?: Instance }

function judgedInstance(there: Found, one: Instance, since: number): Word {
  const { service: name } = one
  if (one.failed !== undefined) return { is: 'doomed', because: `${name} cannot be started: ${one.failed}`, log: one }
  if (one.done) return { is: 'settled' }
  const upMs = running(one) ? Date.now() - Date.parse(one.at ?? '') : 0
  const checked = there.wish.services[name]?.health === true
  const well = upMs > FORGIVEN_MS && (!checked || one.health?.ok)
  const strikes = well ? [] : one.exits.filter(({ at }) => Date.parse(at) >= since)
  const last = strikes.at(-1)
  if (last && strikes.length >= STRIKES) {
    const times = strikes.length === 2 ? 'twice' : `${strikes.length} times`
    return { is: 'doomed', because: `${name} ${how(last)} ${times}, the last time ${spent(last.ranMs)} after its start`, log: one }
  }
  if (!running(one))
    return { is: 'moving', because: last ? `${name} ${how(last)} once, ${spent(last.ranMs)} after its start` : `${name} is being started` }
  const needMs = (checked ? HOLD_MS : STEADY_MS) + (last ? last.ranMs : 0)
  const wellMs = checked ? Date.now() - Date.parse(one.health?.since ?? '') : upMs
  if (checked && !one.health?.ok) return { is: 'moving', because: `${name}: ${one.health?.says ?? 'its health check has not answered yet'}` }
  if (wellMs >= needMs) return { is: 'settled' }
  const why = checked ? 'is healthy' : 'has no health check, and counts as fit'
  return { is: 'moving', because: `${name} ${why}${checked ? ', and must stay so for' : ' once it is up for'} ${spent(needMs)} without a restart` }
}

function judgedSlot(there: Found | null, slot: string, release: string, without: readonly string[], since: number): readonly Word[] {
  if (!there) return [{ is: 'doomed', because: `nothing stands in ${slot}` }]
  const { wish } = there
  if (wish.release !== release) return [{ is: 'doomed', because: `${slot} has release ${wish.release}, not ${release}` }]
  if (wish.run !== 'running') return [{ is: 'doomed', because: `${slot} is ${wish.run}` }]
  if (there.rebooted) return [{ is: 'doomed', because: `the machine was started anew, and nothing of ${slot} runs` }]
  if (!there.kept)
    return [{ is: 'doomed', because: `the keeper of ${slot} is gone, so nothing watches over it; starting the slot again brings it back` }]
  return Object.entries(wish.services).flatMap(([name, { instances: count }]): Word[] => {
    if (without.includes(name)) return []
    if (wish.off.includes(name)) return [{ is: 'moving', because: `${name} is not started` }]
    const instances = there.instances.filter(({ service }) => service === name)
    if (instances.length < count) return [{ is: 'moving', because: `${name} is being started` }]
    return instances.map(one => judgedInstance(there, one, since))
  })
}

/** The verdict on a release in a slot: what is doomed comes before what is moving. */
export async function verdict(place: Place, slot: string, release: string, without: readonly string[], since: string): Promise<Seen> {
  const words = judgedSlot(await found(place, slot), slot, release, without, Date.parse(since))
  const state = plain(await slotState(place, slot))
  const worst = words.find(({ is }) => is === 'doomed') ?? words.find(({ is }) => is === 'moving')
  if (!worst || worst.is === 'settled') return { state, is: 'settled' }
  const look = worst.log ? await lastLines(join(place.paths.release(release), logName(worst.log.service, worst.log.n)), LINES) : ''
  return { state, is: worst.is, because: worst.because, ...(look === '' ? {} : { look }) }
}

/** The last lines that the instances of a service wrote. */
export async function logOf(place: Place, slot: string, service: string, lines: number): Promise<string> {
  const wish = await readJson<Wish>(place.paths.wish(slot))
  if (!wish) return ''
  const { instances = 0 } = wish.services[service] ?? {}
  const each = Array.from({ length: instances }, (_, n) => lastLines(join(place.paths.release(wish.release), logName(service, n + 1)), lines))
  const said = await Promise.all(each)
  return instances === 1 ? (said[0] ?? '') : said.map((text, n) => `${service}-${n + 1}:\n${text}`).join('\n')
}
