import { watch } from 'node:fs'
import { isAlive } from '../../exec/survivors.ts'
import { type Paths, SLOTS } from './place.ts'
import { type Kept, readJson, type SplitFile } from './records.ts'
import { drawer } from './weights.ts'

/** Between two looks at the files, where the system does not tell of changes at once. */
const LOOK_MS = 200

/** What the proxy goes by. */
export type Routes = {
  /** The split in force; null before the first that could be read. */
  split(): SplitFile | null
  /** A slot by weight. */
  draw(): string | null
  /** A port of a service in a slot, in turn; null when no instance of it runs. */
  port(slot: string, service: string): number | null
}

/** Reads the files now and whenever they change; `onGone` is called when there is no split any more. A file that cannot be read changes nothing. */
export async function followed(paths: Paths, onGone: () => void): Promise<Routes> {
  let split: SplitFile | null = null
  let draw: () => string | null = () => null
  let ports = new Map<string, readonly number[]>()
  const seen = new Map<string, Kept>()
  let turn = 0

  const read = async () => {
    const found = await readJson<SplitFile>(paths.split).catch(() => null)
    if (found === undefined) onGone()
    const now = new Map<string, readonly number[]>()
    for (const slot of SLOTS) {
      const kept = await readJson<Kept>(paths.kept(slot)).catch(() => seen.get(slot))
      if (kept) seen.set(slot, kept)
      for (const [service, list] of portsOf(kept)) now.set(`${slot}/${service}`, list)
    }
    ports = now
    // Weights come last: whoever sees the new generation meets the ports that belong to it.
    if (found && JSON.stringify(found) !== JSON.stringify(split)) {
      if (JSON.stringify(found.weights) !== JSON.stringify(split?.weights)) draw = drawer(found.weights, Date.now())
      split = found
    }
  }

  let busy = false
  let again = false
  const soon = async () => {
    again = true
    if (busy) return
    busy = true
    while (again) {
      again = false
      await read()
    }
    busy = false
  }
  await read()
  setInterval(soon, LOOK_MS)
  for (const folder of [paths.directory, paths.slots]) watch(folder, soon).on('error', () => {})

  return {
    split: () => split,
    draw: () => draw(),
    port: (slot, service) => {
      const list = ports.get(`${slot}/${service}`) ?? []
      turn += 1
      return list[turn % list.length] ?? null
    },
  }
}

/** Ports of the instances that requests may go to, by service: the healthy ones, or all that run where none is known to be healthy. */
function portsOf(kept: Kept | undefined): Map<string, readonly number[]> {
  const instances = kept?.instances ?? []
  return new Map(
    [...new Set(instances.map(({ service }) => service))].map(service => {
      const running = instances.filter(one => one.service === service && one.port !== null && one.process !== null && isAlive(one.process))
      const healthy = running.filter(({ health }) => health?.ok)
      return [service, (healthy.length > 0 ? healthy : running).flatMap(({ port }) => (port === null ? [] : [port]))]
    }),
  )
}
