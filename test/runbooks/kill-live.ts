import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Source } from '../../lib/sources/source.ts'
import { doing } from '../exec/doing.ts'
import type { Recovery } from './kill.ts'
import { copyOf, type Invoke, invoke, journals, type World } from './kit.ts'

/** A stack on real servers, which one case after the other shares. */
export type Live = {
  readonly name: string
  readonly world: World
  readonly env: Readonly<Record<string, string>>
  /** The parts, to be asked what a run left beside them and to remove it. */
  readonly sources: readonly Source[]
  /** Makes the data what no backup holds. */
  change(): Promise<void>
  /** Every live record, in order. */
  rows(): Promise<string>
  /** Paths of the store's objects; of an upload that is not finished as `unfinished <path>`. */
  keys(): Promise<readonly string[]>
  stop(): Promise<void>
}

type Runbook = 'backup' | 'restore'

const FLAGS: Readonly<Record<Runbook, readonly string[]>> = {
  backup: ['--yes'],
  restore: ['--backup=latest', '--confirm=shop/local', '--writers-stopped=STOPPED'],
}

const on = ({ env }: Live, how: Invoke = {}): Invoke => ({ ...how, env })

/** Makes the backup that the restores of later cases read. */
export async function firstBackup(live: Live): Promise<void> {
  const ran = await invoke(live.world, 'backup', ['--yes'], on(live))
  if (ran.exit !== 0) throw new Error(`exit ${ran.exit}: ${ran.stderr}`)
}

/** A step by its verb and the part or thing it is about, with the journal line by which it begins. */
export type Begun = { readonly verb: string; readonly of: string; readonly line: number }

/** Plays a runbook to its end and gives its steps in the order in which they began. */
export async function stepsOf(live: Live, runbook: Runbook): Promise<Begun[]> {
  const world = copyOf(live.world)
  const points = join(world.folder, 'points')
  const ran = await invoke(world, runbook, FLAGS[runbook], on(live, { points }))
  if (ran.exit !== 0) throw new Error(`exit ${ran.exit}: ${ran.stderr}`)
  const begun = readFileSync(points, 'utf8')
    .split('\n')
    .flatMap(text => {
      const [, line, verb = '', of = ''] = /^entry (\d+) .*"at":"intent","of":"([a-z.-]+)\/([^"]*)"/.exec(text) ?? []
      return line ? [{ verb, of, line: Number(line) }] : []
    })
  rmSync(world.folder, { recursive: true, force: true })
  await forgetAll(live)
  return begun
}

/** What is wrong after a kill at a journal line and one recovery; empty when everything is as it must be. With `backupAfter` a new backup must succeed. */
export async function killLive(
  live: Live,
  runbook: Runbook,
  point: string,
  recovery: Recovery,
  more: { backupAfter?: boolean } = {},
): Promise<string[]> {
  const world = copyOf(live.world)
  const wrong: string[] = []
  const before = await live.rows()
  const died = await invoke(world, runbook, FLAGS[runbook], on(live, { die: point }))
  if (died.signal !== 'SIGKILL') wrong.push(`it did not die there: exit ${died.exit}: ${died.stderr}`)
  const run = journals(world.home).at(-1)?.run ?? ''
  const agreed = [`--${recovery}`, ...FLAGS[runbook].filter(flag => !flag.startsWith('--backup='))]
  const settled = await invoke(world, runbook, agreed, on(live))
  if (settled.exit !== 0) wrong.push(`exit ${settled.exit}: ${settled.last}\n${settled.stderr}`)
  if (!settled.stderr.includes(run)) wrong.push('it does not say who died')
  const goes = runbook === 'restore' && recovery === 'resume'
  const now = await live.rows()
  if ((now === before) === goes) wrong.push(`the data is ${now === before ? 'the old' : 'not the old'}`)
  wrong.push(...(await leftBeside(live, goes)), ...storeWrong(await live.keys()))
  if (more.backupAfter) {
    const backup = await invoke(world, 'backup', ['--yes'], on(live))
    if (backup.exit !== 0) wrong.push(`a new backup: exit ${backup.exit}: ${backup.stderr}`)
  }
  rmSync(world.folder, { recursive: true, force: true })
  await forgetAll(live)
  return wrong.map(line => `${live.name}: ${runbook} killed at ${point}, ${recovery}: ${line}`)
}

/** Only a restore that was finished leaves anything: what it set aside. */
async function leftBeside({ sources }: Live, finished: boolean): Promise<string[]> {
  const all = await Promise.all(
    sources.map(async source => (await source.remains(doing())).map(({ place, run }) => `${source.name} ${place} of ${run}`)),
  )
  return all.flat().flatMap(text => (finished && / aside of /.test(text) ? [] : [`there stands ${text}`]))
}

function storeWrong(keys: readonly string[]): string[] {
  const unfinished = keys.filter(key => key.startsWith('unfinished'))
  const points = Map.groupBy(
    keys.filter(key => !key.includes('/.state/') && !key.startsWith('unfinished')),
    key => key.split('/')[2] ?? '',
  )
  const bare = [...points].filter(([, objects]) => !objects.some(key => key.endsWith('/manifest.json')))
  return [...unfinished, ...bare.map(([id]) => `${id} has objects and no manifest`)]
}

/** What a finished restore set aside is kept for a week; here each case begins without. */
async function forgetAll({ sources }: Live): Promise<void> {
  for (const source of sources) {
    for (const { run, place } of await source.remains(doing())) {
      if (place === 'aside') await source.forget(run).run(doing())
      else await source.unload(place, run).run(doing())
    }
  }
}
