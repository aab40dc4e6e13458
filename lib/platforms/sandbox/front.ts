import { rm } from 'node:fs/promises'
import { Agent, get } from 'node:http'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type Detached, endDetached } from '../../exec/detached.ts'
import { isAlive } from '../../exec/survivors.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Seen } from '../../plan/plan.ts'
import type { Served } from '../platform.ts'
import { keysOf } from './draft.ts'
import { SLOT_HEADER, TRACK_HEADER } from './headers.ts'
import { holderOf } from './hold.ts'
import { beside, type Place, SLOTS } from './place.ts'
import { createJson, readAnyJson, readJson, type SplitFile, type Wish, writeJson } from './records.ts'
import { ANSWER_MS, awaited, ensureKeepers, ours } from './slots.ts'
import { ensureFolders } from './stage.ts'
import { lastLines } from './tail.ts'

const PROXY = fileURLToPath(new URL('proxy.ts', import.meta.url))

/** Requests that are counted to see the shares: as many as those over which the proxy's weights are exact. */
const COUNTED = 100

/** Right answers in a row, through the proxy, before a slot gets traffic. */
const IN_A_ROW = 5

/** Generation before the first move. */
const NONE = 'none'

/** An answer of the front door; null when there was none. */
type Answer = { readonly status: number; readonly slot: string | null; readonly text: string }

/** Address of the front door. */
export const doorOf = ({ port }: Place): string => `http://127.0.0.1:${port}`

function asked(place: Place, path: string, agent?: Agent, headers: Readonly<Record<string, string>> = {}): Promise<Answer | null> {
  return new Promise(resolve => {
    const request = get(new URL(path, doorOf(place)), { agent: agent ?? false, headers, timeout: 5_000 }, response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk.slice(0, 10_000)
      })
      response.on('error', () => resolve(null))
      response.on('end', () => {
        const slot = response.headers[SLOT_HEADER]
        resolve({ status: response.statusCode ?? 0, slot: typeof slot === 'string' ? slot : null, text })
      })
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(null))
  })
}

/** What the proxy says of itself, when it is this sandbox's. */
type About = { readonly directory: string; readonly generation: string | null; readonly open: Readonly<Record<string, number>> }

async function about(place: Place): Promise<About | null> {
  // Another program on the port may take any time to answer, or never do.
  if (!(await proxyOf(place))) return null
  const answer = await asked(place, '/.slot')
  try {
    const said = JSON.parse(answer?.text ?? 'null') as About | null
    return said?.directory === place.paths.directory ? said : null
  } catch {
    return null
  }
}

const proxyOf = ({ paths }: Place): Promise<Detached | null> => holderOf(paths.directory, paths.proxyHolder)

/** Sees to it that the proxy runs; Trouble(4) when it does not, as when another program has its port. */
export async function ensureProxy(place: Place, signal?: AbortSignal): Promise<void> {
  const { paths, port } = place
  await ensureFolders(place)
  const { track } = await keysOf(place)
  const first: SplitFile = { generation: NONE, weights: {}, routes: routesOf(place), track }
  await createJson(paths.split, first)
  if ((await proxyOf(place)) && (await about(place))) return
  // A proxy that runs goes on with what it read before; a new one cannot begin with a damaged file.
  if ((await readAnyJson<SplitFile>(paths.split)) === undefined) await writeJson(paths.split, first)
  await rm(paths.proxy, { force: true })
  const started = (await proxyOf(place)) ?? (await ours(PROXY, [paths.directory, String(port)], paths.proxyLog))
  // Two who start it at once start two, and the one that finds the place taken leaves; what the other one says is there all the same.
  const spoken = () => readAnyJson<{ readonly failed?: string }>(paths.proxy)
  const begun = async () => (await spoken()) !== undefined || !(isAlive(started) || (await proxyOf(place)))
  await awaited(begun, ANSWER_MS, signal)
  const { failed } = (await spoken()) ?? {}
  if (failed === undefined && (await awaited(async () => (await about(place)) !== null || !(await proxyOf(place)), ANSWER_MS, signal))) {
    if (await about(place)) return
  }
  const words = failed ?? (await lastLines(paths.proxyLog, 3))
  const next = /EADDRINUSE/.test(words) ? [`ss -ltnp 'sport = :${port}'`, 'end that program, or give the sandbox another port'] : []
  throw new Trouble(4, `the front door at ${doorOf(place)} does not open: ${words || 'it wrote nothing'}`, { next, look: [`less ${paths.proxyLog}`] })
}

/** Services behind the front door; the first one is at `/`. */
export const routesOf = ({ list }: Place): string[] => list.filter(({ traffic }) => traffic === 'split').map(({ name }) => name)

/** Why the front door cannot open its port; null when it is open, or could be. */
export async function portTaken(place: Place): Promise<string | null> {
  if (await proxyOf(place)) return null
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'EADDRINUSE' ? `port ${place.port} is taken by another program` : `port ${place.port}: ${error.message}`)
    })
    server.listen(place.port, '127.0.0.1', () => server.close(() => resolve(null)))
  })
}

/** What the first service is asked for: its health check costs it the least, and `/` leads to it. */
function askedPath({ list }: Place): string {
  const first = list.find(({ traffic }) => traffic === 'split')
  return first?.health ?? first?.door ?? '/'
}

/** Shares of the traffic, counted in answers of the first service. */
export async function served(place: Place): Promise<Served> {
  const share: Record<string, number> = Object.fromEntries(SLOTS.map(slot => [slot, 0]))
  const said = await about(place)
  if (!said) return { share, generation: null }
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  const path = askedPath(place)
  const answers = await Promise.all(Array.from({ length: COUNTED }, () => asked(place, path, agent)))
  agent.destroy()
  const slots = answers.flatMap(answer => (answer?.slot ? [answer.slot] : []))
  for (const slot of slots) share[slot] = (share[slot] ?? 0) + 100 / slots.length
  return {
    share: Object.fromEntries(Object.entries(share).map(([slot, value]) => [slot, Math.round(value * 100) / 100])),
    generation: said.generation,
  }
}

/** Moves the traffic; a slot that is to get some must first have answered through the proxy. Settles when the proxy answers with the new generation. */
export async function move(place: Place, to: string, percent: number, generation: string, signal: AbortSignal): Promise<void> {
  const { track } = await keysOf(place)
  const weights = { [to]: percent, [beside(to)]: 100 - percent }
  await ensureKeepers(place)
  await ensureProxy(place, signal)
  if (percent > 0) await reach(place, to, signal)
  await writeJson(place.paths.split, { generation, weights, routes: routesOf(place), track } satisfies SplitFile)
  const ended = async () => (await about(place))?.generation === generation || (await inFile(place)) !== generation
  await awaited(ended, ANSWER_MS, signal)
  if ((await about(place))?.generation === generation) return
  const other = await inFile(place)
  if (other !== generation) throw new Trouble(4, `somebody else moved the traffic at the same time: it is at ${other}, not at ${generation}`)
  throw new Trouble(4, `the front door at ${doorOf(place)} does not take up the new weights`, {
    look: [`less ${place.paths.proxyLog}`, `cat ${place.paths.split}`],
  })
}

const inFile = async ({ paths }: Place) => (await readAnyJson<SplitFile>(paths.split))?.generation

async function reach(place: Place, slot: string, signal: AbortSignal): Promise<void> {
  const wish = await readJson<Wish>(place.paths.wish(slot))
  if (wish?.run !== 'running') throw new Trouble(4, `${slot} ${wish ? `is ${wish.run}` : 'is empty'}, so it got no traffic`)
  const headers = await trackOf(place, slot)
  let right = 0
  let last: Answer | null = null
  const enough = async () => {
    last = await asked(place, askedPath(place), undefined, headers)
    right = last?.slot === slot ? right + 1 : 0
    // One that was killed a moment ago may have been alive at the first look.
    if (right === 0) await ensureKeepers(place)
    return right >= IN_A_ROW
  }
  if (await awaited(enough, REACH_MS, signal)) return
  const words = (last as Answer | null)?.text.trim() ?? 'no answer'
  throw new Trouble(4, `${slot} cannot be reached through the front door, so it got no traffic: ${words}`, { look: [`curl -i ${doorOf(place)}/`] })
}

/** Longest time until a slot that runs is reached, in milliseconds. */
const REACH_MS = 10_000

/** Headers that choose a slot. */
export async function trackOf(place: Place, slot: string): Promise<Readonly<Record<string, string>>> {
  return { [TRACK_HEADER]: `${slot}.${(await keysOf(place)).track}` }
}

/** How many requests are under way in a slot; a proxy that is gone has none. Trouble(8) when it is there and does not say. */
export async function drained(place: Place, slot: string): Promise<Seen<{ readonly open: number }>> {
  let said: About | null = null
  const told = async () => {
    said = await about(place)
    return said !== null || !(await proxyOf(place))
  }
  // One that is just ending closes its port before it is gone.
  if (!(await awaited(told, SAYS_MS))) {
    throw new Trouble(8, `the front door at ${doorOf(place)} does not say what is under way`, { look: [`curl ${doorOf(place)}/.slot`] })
  }
  const open = (said as About | null)?.open[slot] ?? 0
  return open === 0 ? { state: { open }, is: 'settled' } : { state: { open }, is: 'moving', because: `${open} requests are under way in ${slot}` }
}

/** Longest time that a proxy which runs may say nothing, in milliseconds. */
const SAYS_MS = 5_000

/** Ends the front door. */
export async function closeDoor(place: Place): Promise<void> {
  const proxy = await proxyOf(place)
  await rm(place.paths.split, { force: true })
  if (proxy) await endDetached(proxy, 1_000)
}
