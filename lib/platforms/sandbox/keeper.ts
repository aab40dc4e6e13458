import { watch } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { me, take } from './hold.ts'
import { Keeping } from './instance.ts'
import { pathsOf } from './place.ts'
import { type Kept, readAnyJson, readJson, type Wish, writeJson } from './records.ts'
import { keptRelease } from './stage.ts'

/** Between two looks at what is wanted, where the system does not tell of changes at once. */
const LOOK_MS = 200

/** Keeps the instances of one slot running: `node keeper.ts <folder> <slot>`. It ends, with all of them, when the slot is to stop. */
async function main(directory: string, slot: string): Promise<void> {
  const paths = pathsOf(directory)
  const wish = await readJson<Wish>(paths.wish(slot))
  if (wish?.run !== 'running' || !(await take(directory, paths.holder(slot)))) return
  const before = await readAnyJson<Kept>(paths.kept(slot))
  const ours = before?.begun === wish.begun && before.keeper.boot === me().boot ? before.instances : []
  const { settings } = await keptRelease({ paths }, wish.release)
  const all = new Map<string, Keeping>()
  const written = writer(paths.kept(slot), () => {
    return { release: wish.release, begun: wish.begun, keeper: me(), instances: [...all.values()].map(({ seen }) => seen) }
  })
  const keep = async (off: readonly string[], from: Kept['instances']) => {
    for (const [service, launch] of Object.entries(settings.services)) {
      for (let n = 1; n <= launch.instances; n += 1) {
        const name = `${service}-${n}`
        const about = { directory, slot, folder: paths.release(wish.release), service, n, launch }
        const known = from.find(one => one.service === service && one.n === n)
        if (!off.includes(service) && !all.has(name)) all.set(name, new Keeping(about, known, written.soon))
      }
    }
    const stopped = [...all].filter(([, { seen }]) => off.includes(seen.service))
    await Promise.all(stopped.map(([, keeping]) => keeping.stop()))
    for (const [name] of stopped) all.delete(name)
    written.soon()
  }

  let off: readonly string[] | undefined
  for await (const wanted of wishes(paths.slots, paths.wish(slot))) {
    if (wanted?.begun !== wish.begun || wanted.run !== 'running') break
    if (JSON.stringify(wanted.off) !== JSON.stringify(off)) await keep(wanted.off, off === undefined ? ours : [])
    off = wanted.off
    // Whoever damaged or removed the file did not end what it tells of.
    if ((await readAnyJson<Kept>(paths.kept(slot)))?.begun !== wish.begun) written.soon()
  }
  await Promise.all([...all.values()].map(keeping => keeping.stop()))
  await written.last()
}

/** What is wanted, now and whenever it may have changed; a file that cannot be read changes nothing, one that is gone is undefined. */
async function* wishes(folder: string, file: string): AsyncGenerator<Wish | undefined> {
  let wake = () => {}
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort())
  try {
    watch(folder, () => wake()).on('error', () => {})
  } catch {
    // Without a watcher the clock below is enough.
  }
  while (!stop.signal.aborted) {
    const found = await readJson<Wish>(file).catch(() => null)
    if (found !== null) yield found
    await Promise.race([sleep(LOOK_MS), new Promise<void>(resolve => (wake = resolve))])
  }
  yield undefined
}

/** Writes what was seen, one write at a time and never an older one last; fails silently when the folder is gone, which ends the keeper anyway. */
function writer(file: string, seen: () => Kept) {
  let running: Promise<void> | null = null
  let again = false
  const write = async () => {
    do {
      again = false
      await writeJson(file, seen()).catch(() => {})
    } while (again)
    running = null
  }
  const soon = () => {
    again = true
    running ??= write()
  }
  return {
    soon,
    last: async () => {
      soon()
      await running
    },
  }
}

await main(process.argv[2] ?? '', process.argv[3] ?? '')
process.exit(0)
