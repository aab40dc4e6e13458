import { mkdir } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Trouble } from '../../plan/outcome.ts'
import type { Action, Doing, Json } from '../../plan/plan.ts'
import { cell } from '../../stores/directory/cell.ts'
import type { Cell } from '../../stores/store.ts'
import type { Platform, SlotState, Split, Standing } from '../platform.ts'
import type { Setting } from '../registry.ts'
import { heaviest, insideService, startWriters, stopWriters, surplus, tidy, writersRun } from './around.ts'
import { draft, images, scriptOf } from './draft.ts'
import { facts } from './facts.ts'
import { closeDoor, doorOf, drained, ensureProxy, move, routesOf, served, trackOf } from './front.ts'
import { onceCommand } from './launch.ts'
import { beside, type Options, type Place, pathsOf, SLOTS } from './place.ts'
import { readAnyJson, type SplitFile } from './records.ts'
import { rehearsalsOf } from './rehearsal.ts'
import { logOf, slotState, verdict } from './seen.ts'
import { removeSlot, startSlot, stopSlot, toggleServices } from './slots.ts'
import { fetched, stage, staged, unstage } from './stage.ts'

/** Relative scripts are inside the clone. */
const ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))

const CAUTION = 'The sandbox runs services as plain processes of this machine. It is for learning and tests, not for production.'

/**
 * Services as processes of this machine, in two slots behind a small proxy on loopback. They, their keepers and the proxy outlive the runbook;
 * what is wanted and what was seen stands in files, so another process goes on where one ended. It needs Node and nothing else.
 */
export async function sandbox(setting: Setting, options: Options): Promise<Platform> {
  const place = placeOf(setting, options)
  const { paths } = place
  return {
    kind: 'sandbox',
    where: paths.directory,
    caution: CAUTION,
    facts: () => facts(place),
    standing: () => standing(place),
    images: wanted => images(place, wanted),
    draft: async () => {
      await mkdir(paths.directory, { recursive: true, mode: 0o700 })
      return draft(place)
    },
    fetched: bundle => fetched(place, bundle),
    staged: release => staged(place, release),
    slot: slot => slotState(place, slot),
    verdict: (slot, release, without, since) => verdict(place, slot, release, without, since),
    time: async () => new Date().toISOString(),
    log: (slot, service, lines) => logOf(place, slot, service, lines),
    once: (bundle, service, argv) => onceCommand(paths.release(bundle.release), service, argv),
    inside: (service, command, inside) => insideService(place, service, command, inside),
    door: async () => ({ url: doorOf(place), headers: {} }),
    split: splitOf(place),
    rehearsals: rehearsalsOf(place),
    writers: {
      running: () => writersRun(place),
      stop: () => [act('stop all services', () => stopWriters(place))],
      start: () => [act('start all services again', ({ signal }) => startWriters(place, signal))],
    },
    cell: name => cellOf(place, name),
    surplus: keep => surplus(place, keep),
    ...changes(place),
  }
}

/** What changes the sandbox, as actions. */
function changes(place: Place): Pick<Platform, 'fetch' | 'stage' | 'unstage' | 'start' | 'toggle' | 'stop' | 'remove' | 'tidy'> {
  return {
    fetch: bundle => [act(`check that the scripts are those of ${bundle.release}`, () => fetchable(place, bundle))],
    stage: bundle => [act(`write files and secrets of ${bundle.release} to ${place.paths.release(bundle.release)}`, () => stage(place, bundle))],
    unstage: release => [act(`remove ${place.paths.release(release)}`, () => unstage(place, release))],
    start: (bundle, without) => {
      const but = without.length > 0 ? `, but not ${without.join(', ')}` : ''
      const start = async ({ signal }: Doing) => {
        const ends = await Promise.allSettled([startSlot(place, bundle, without, signal), ensureProxy(place, signal)])
        for (const end of ends) if (end.status === 'rejected') throw end.reason
      }
      return [act(`start ${bundle.release} in ${bundle.slot}${but}`, start)]
    },
    toggle: (bundle, services, to) => {
      const verb = to === 'running' ? 'start' : 'stop'
      return [act(`${verb} ${services.join(', ')} in ${bundle.slot}`, ({ signal }) => toggleServices(place, bundle, services, to, signal))]
    },
    stop: slot => [act(`stop what runs in ${slot}, and keep it`, () => stopSlot(place, slot))],
    remove: slot => [act(`end and remove what stands in ${slot}`, () => removed(place, slot))],
    tidy: keep => [act('remove what is kept of other releases', () => tidy(place, keep))],
  }
}

function splitOf(place: Place): Split {
  return {
    served: () => served(place),
    move: (to, percent, generation) => {
      const prints = `send ${percent} % of the traffic to ${to}, the rest to ${beside(to)} (${generation})`
      return [act(prints, ({ signal }) => move(place, to, percent, generation, signal))]
    },
    drained: slot => drained(place, slot),
    track: slot => trackOf(place, slot),
  }
}

function placeOf({ stack, services }: Setting, options: Options): Place {
  const scripts = Object.entries(options.services).map(([name, one]) => {
    return [name, { ...one, script: isAbsolute(one.script) ? one.script : join(ROOT, one.script) }] as const
  })
  const place = { ...options, services: Object.fromEntries(scripts), stack, list: services, paths: pathsOf(resolve(options.directory)) }
  for (const { name } of services) scriptOf(place, name)
  if (routesOf(place).length > 0) return place
  throw new Trouble(2, `no service of ${stack} has traffic: 'split', so nothing is behind the front door of its sandbox`)
}

const act = (prints: string, run: (doing: Doing) => Promise<unknown>): Action => ({
  kind: 'call',
  prints,
  run: async doing => ((await run(doing)) ?? undefined) as Json | undefined,
})

async function fetchable(place: Place, bundle: Parameters<typeof fetched>[1]): Promise<void> {
  const missing = Object.entries(await fetched(place, bundle)).filter(([, there]) => !there)
  if (missing.length === 0) return
  const names = missing.map(([name]) => `${name} ${bundle.services[name]?.version}`).join(', ')
  throw new Trouble(3, `not there any more as it was planned: ${names}; its script has changed or is gone`, {
    next: ['the same command again, to plan with what is there now'],
  })
}

async function removed(place: Place, slot: string): Promise<void> {
  await removeSlot(place, slot)
  const states = await Promise.all(SLOTS.map(one => readAnyJson(place.paths.wish(one))))
  // Nobody is behind the front door any more, and an empty sandbox has no processes.
  if (states.every(state => state === undefined)) await closeDoor(place)
}

async function standing(place: Place): Promise<Standing> {
  const states = await Promise.all(SLOTS.map(async slot => [slot, await slotState(place, slot)] as const))
  const slots: Readonly<Record<string, SlotState>> = Object.fromEntries(states)
  const { share } = await served(place)
  const [most, percent] = Object.entries(share).reduce((a, b) => (b[1] > a[1] ? b : a))
  const serving = percent > 0 ? most : null
  const last = serving ?? heaviest(await readAnyJson<SplitFile>(place.paths.split))
  const empty = states.find(([, { is }]) => is === 'absent')?.[0]
  return { slots, serving, idle: last === null || slots[last]?.is === 'absent' ? (empty ?? SLOTS[0]) : beside(last) }
}

function cellOf({ paths }: Place, name: string): Cell {
  const kept = cell(paths.directory, paths.cell(name))
  const ensured = () => mkdir(paths.directory, { recursive: true, mode: 0o700 })
  return {
    where: kept.where,
    read: async () => {
      await ensured()
      return kept.read()
    },
    write: async (body, version) => {
      await ensured()
      return kept.write(body, version)
    },
  }
}
