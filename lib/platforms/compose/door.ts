import { Agent, get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Doing } from '../../plan/plan.ts'
import type { Door, Served } from '../platform.ts'
import type { Site } from './site.ts'

/** Connections on which the front door is asked, and answers that are counted on each: a draw of 400 at 10 % is within 6 points 99.99 % of the time. */
const CONNECTIONS = 8
const ANSWERS = 50

/** Longest time for one answer of nginx itself, in milliseconds. */
const ANSWER_MS = 5_000

/** How long generations may be mixed, in milliseconds, until none is named: workers of nginx change one after the other. */
const MIXED_MS = 2_000

/** The front door as it is reached from this machine. */
export async function doorOf(site: Site, doing: Doing): Promise<Door> {
  const url = new URL(site.options.door)
  const remote = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  // On a host, its loopback address is reached through the connection; any other address is everybody's.
  if (site.options.host !== undefined && ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)) {
    url.hostname = '127.0.0.1'
    url.port = String(await site.host.port(remote, doing))
  }
  return { url: url.href.replace(/\/$/, ''), headers: site.options.doorHost === undefined ? {} : { Host: site.options.doorHost } }
}

/** One answer of the front door; undefined when there was none. */
function asked(
  door: Door,
  path: string,
  agent: Agent,
  signal: AbortSignal,
  headers: Door['headers'] = {},
): Promise<{ status: number; body: string } | undefined> {
  return new Promise(resolve => {
    const request = get(new URL(path, door.url), { agent, headers: { ...door.headers, ...headers }, timeout: ANSWER_MS, signal }, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => resolve(undefined))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8').trim() }))
    })
    request.on('timeout', () => request.destroy()).on('error', () => resolve(undefined))
  })
}

/** Does something with a connection of its own, which is closed afterwards. */
async function onConnection<T>(work: (agent: Agent) => Promise<T>): Promise<T> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    return await work(agent)
  } finally {
    agent.destroy()
  }
}

/** The header that has the front door answer from a slot, as long as the generation is the one that answers. */
export const trackHeader = (generation: string | null, slot: string) => ({ 'X-Runbooks-Track': `${generation ?? 'unknown'}-${slot}` })

/** Asks a slot for a path through the front door, whatever comes of it. */
export async function askSlot(site: Site, slot: string, path: string, doing: Doing): Promise<void> {
  const door = await doorOf(site, doing)
  const header = trackHeader(await generationAt(site, doing), slot)
  await onConnection(agent => asked(door, path, agent, doing.signal, header))
}

/** The generation that answers on new connections, one value a connection; null where there was no answer. */
async function generations(door: Door, connections: number, signal: AbortSignal): Promise<readonly (string | null)[]> {
  const one = () =>
    onConnection(async agent => {
      const answer = await asked(door, '/.generation', agent, signal)
      return answer?.status === 200 ? answer.body : null
    })
  return await Promise.all(Array.from({ length: connections }, one))
}

/** The generation that every new connection answers; null when they differ, or when nobody answers. */
export async function generationAt(site: Site, doing: Doing): Promise<string | null> {
  const door = await doorOf(site, doing)
  const found = new Set(await generations(door, CONNECTIONS, doing.signal))
  return found.size === 1 ? ([...found][0] ?? null) : null
}

/** What one connection answered, which is one worker of nginx: its generation, and the slots that it drew. */
type Drawn = { readonly generation: string | null; readonly slots: readonly string[] }

/**
 * Shares counted on new connections, and the generation that answers on all of them; nothing at all where the front door is closed. While old
 * workers still take connections the answers are mixed: then it is asked again, and in the end the shares are what they are, without a generation.
 */
export async function countedAtDoor(site: Site, doing: Doing): Promise<Served> {
  const door = await doorOf(site, doing)
  const until = performance.now() + MIXED_MS
  for (;;) {
    const all = await Promise.all(Array.from({ length: CONNECTIONS }, () => drawn(door, doing.signal)))
    doing.signal.throwIfAborted()
    const found = new Set(all.map(({ generation }) => generation))
    if (found.size === 1 && found.has(null)) return { share: {}, generation: null }
    if (found.size === 1 || performance.now() > until)
      return { share: shares(all.flatMap(({ slots }) => slots)), generation: found.size === 1 ? ([...found][0] ?? null) : null }
    await sleep(50)
  }
}

const drawn = (door: Door, signal: AbortSignal): Promise<Drawn> =>
  onConnection(async agent => {
    const first = await asked(door, '/.generation', agent, signal)
    if (first?.status !== 200) return { generation: null, slots: [] }
    const slots: string[] = []
    for (let n = 0; n < ANSWERS; n += 1) {
      const answer = await asked(door, '/.slot', agent, signal)
      if (answer?.status === 200) slots.push(answer.body)
    }
    return { generation: first.body, slots }
  })

function shares(slots: readonly string[]): Record<string, number> {
  const found = ['blue', 'green'].map(slot => [slot, (100 * slots.filter(one => one === slot).length) / Math.max(1, slots.length)] as const)
  return slots.length === 0 ? {} : Object.fromEntries(found)
}
