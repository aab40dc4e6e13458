import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  changeData,
  copyOf,
  dataDigest,
  invoke,
  journals,
  newWorld,
  pointsOf,
  type Ran,
  remains,
  storeFaults,
  tryWriting,
  type World,
} from './kit.ts'

/** One runbook on one state of the world, with what the data may be afterwards. */
export type Scene = {
  readonly name: string
  readonly template: World
  readonly runbook: string
  readonly flags: readonly string[]
  readonly before: string
  readonly after: string
  /** Points of the kill: journal entries, and changes of files. */
  readonly entries: number
  readonly effects: readonly string[]
  /** What stands beside the data when the run was never begun, and when it is finished. */
  readonly remainsBefore: number
  readonly remainsAfter: number
}

export type Recovery = 'resume' | 'revert'

async function must(ran: Promise<Ran>): Promise<Ran> {
  const { exit, stderr, last, ...rest } = await ran
  if (exit !== 0) throw new Error(`exit ${exit}: ${last}\n${stderr}`)
  return { exit, stderr, last, ...rest }
}

const lastRun = (world: World) => journals(world.home).at(-1)?.run ?? ''

/** Plays a scene once to its end on a copy, to learn its points and what the data is afterwards. */
async function played(name: string, template: World, runbook: string, flags: readonly string[]): Promise<Scene> {
  const world = copyOf(template)
  const points = join(world.folder, 'points')
  await must(invoke(world, runbook, flags, { points }))
  const lines = readFileSync(points, 'utf8').trimEnd().split('\n')
  const scene = {
    name,
    template,
    runbook,
    flags,
    before: dataDigest(template),
    after: dataDigest(world),
    entries: lines.filter(line => line.startsWith('entry ')).length,
    effects: lines.filter(line => line.startsWith('effect ')),
    remainsBefore: remains(template).length,
    remainsAfter: remains(world).length,
  }
  rmSync(world.folder, { recursive: true, force: true })
  return scene
}

const AGREED = ['--confirm=shop/local']

/** The scenes of the embedded stack by name. */
export async function scenes(wanted: readonly string[]): Promise<Scene[]> {
  const backedUp = newWorld()
  await must(invoke(backedUp, 'backup', ['--yes']))
  const changed = copyOf(backedUp)
  changeData(changed)
  const made: Scene[] = []
  for (const name of wanted) {
    if (name === 'backup') made.push(await played(name, changed, 'backup', ['--yes']))
    if (name === 'restore') made.push(await played(name, changed, 'restore', ['--backup=latest', ...AGREED]))
    if (name === 'drill') made.push(await played(name, changed, 'restore-drill', ['--backup=latest', '--yes']))
    if (name === 'verify') made.push(await played(name, changed, 'backup-verify', ['--backup=all', '--yes']))
    if (name === 'undo') {
      const restored = copyOf(changed)
      await must(invoke(restored, 'restore', ['--backup=latest', ...AGREED]))
      made.push(await played(name, restored, 'restore', [`--undo=${lastRun(restored)}`, ...AGREED]))
    }
  }
  return made
}

/** Every point of the journal: before a line, in the middle of it, after it. */
export const entryPoints = (scene: Scene) =>
  Array.from({ length: scene.entries }, (_, i) => ['before', 'torn', 'after'].map(when => `entry:${i + 1}:${when}`)).flat()

/** Every point around a change of a file, and in the middle of those that write bytes. */
export const effectPoints = (scene: Scene) =>
  scene.effects.flatMap(line => {
    const [, n, what] = line.split(' ')
    return [`effect:${n}:before`, ...(what?.startsWith('write') ? [`effect:${n}:half`] : []), `effect:${n}:after`]
  })

/** What is wrong after a kill at `point` and one recovery (itself killed first at `again`, when given); empty when everything is as it must be. */
export async function kill(scene: Scene, point: string, recovery: Recovery, more: { again?: string; backup?: boolean } = {}): Promise<string[]> {
  const world = copyOf(scene.template)
  try {
    const wrong = await killedAndSettled(scene, world, point, recovery, more)
    return wrong.map(line => `${scene.name} killed at ${point}${more.again ? `, again at ${more.again}` : ''}, ${recovery}: ${line}`)
  } finally {
    rmSync(world.folder, { recursive: true, force: true })
  }
}

async function killedAndSettled(
  scene: Scene,
  world: World,
  point: string,
  recovery: Recovery,
  more: { again?: string; backup?: boolean },
): Promise<string[]> {
  const wrong: string[] = []
  const earlier = journals(world.home).length
  const died = await invoke(world, scene.runbook, scene.flags, { die: point })
  if (died.signal !== 'SIGKILL') return [`it did not die there: exit ${died.exit}: ${died.last}`]
  const journal = journals(world.home)[earlier]
  const begun = journal?.entries.some(entry => entry.at === 'intent') === true
  const agreed = [`--${recovery}`, ...scene.flags.filter(flag => flag.startsWith('--confirm') || flag === '--yes')]
  if (more.again) {
    const second = await invoke(world, scene.runbook, agreed, { die: more.again })
    if (begun && second.signal !== 'SIGKILL' && second.exit !== 0)
      wrong.push(`the recovery that should die: exit ${second.exit}: ${second.last}\n${second.stderr}`)
  }
  const settled = await invoke(world, scene.runbook, agreed)
  const over = !begun || (settled.exit === 3 && /no unfinished run/.test(settled.stderr))
  if (over) {
    // Nothing of it stands, or the killed recovery had finished its work: there is nothing left to settle.
    if (settled.exit !== 3 || !/no unfinished run/.test(settled.stderr))
      wrong.push(`nothing was begun, yet exit ${settled.exit}: ${settled.last}\n${settled.stderr}`)
  } else {
    if (settled.exit !== 0) wrong.push(`exit ${settled.exit}: ${settled.last}\n${settled.stderr}`)
    if (!settled.stderr.includes(`Unfinished: ${scene.runbook} (${journal?.run}), started by `))
      wrong.push(`it does not say who died:\n${settled.stderr}`)
  }
  const digest = dataDigest(world)
  const finished = begun && recovery === 'resume'
  // A run whose last entry was the only thing missing is finished in either way.
  const fits = digest === (finished ? scene.after : scene.before) || (!begun && digest === scene.before)
  if (!fits) wrong.push(`the data is ${digest === scene.before ? 'the old' : digest === scene.after ? 'the new' : 'A MIX'}`)
  const left = remains(world)
  const allowed = digest === scene.before && scene.before !== scene.after ? scene.remainsBefore : finished ? scene.remainsAfter : scene.remainsBefore
  if (left.length !== allowed) wrong.push(`beside the data stands ${left.join(', ') || 'nothing'}`)
  wrong.push(...storeFaults(world))
  try {
    tryWriting(world)
  } catch (error) {
    wrong.push(`writers are locked out: ${String(error)}`)
  }
  if (more.backup) wrong.push(...(await backsUp(world)))
  return wrong
}

async function backsUp(world: World): Promise<string[]> {
  const before = pointsOf(world).length
  const ran = await invoke(world, 'backup', ['--yes'])
  if (ran.exit !== 0) return [`a new backup: exit ${ran.exit}: ${ran.last}\n${ran.stderr}`]
  return pointsOf(world).length === before + 1 ? storeFaults(world) : ['a new backup left no new point']
}
