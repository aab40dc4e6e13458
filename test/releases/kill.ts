import type { ReleaseRecord } from '../../lib/releases/records.ts'
import { invoke, journals, type World } from '../runbooks/kit.ts'
import { type Line, linesOf, lineThatSays, pointThatSays } from './points.ts'
import { deployed } from './runs.ts'
import { newShop, overlapping, recordsOf, served, shopFaults } from './world.ts'

/** A shop on some platform, and what is to be known of it. */
export type Watched = {
  readonly shop: World
  /** The same shop as another machine knows it, which settles what was killed; the same machine unless said. */
  readonly elsewhere?: World
  served(): Promise<string>
  records(): Promise<readonly ReleaseRecord[]>
  /** What is wrong while no run is under way. */
  faults(): Promise<readonly string[]>
  /** Lines of the journal are found by what they say, where their number is not the same each time. */
  readonly byWords?: boolean
}

/** One runbook in a world that goes on from kill to kill: what is settled is the beginning of the next case. */
export type Scene = Watched & { readonly runbook: 'deploy' | 'rollback'; readonly lines: readonly Line[] }

export type Recovery = 'resume' | 'revert'

const OTHER: Readonly<Record<string, string>> = { '1.0.0': '1.1.0', '1.1.0': '1.0.0' }

/** Flags that send everybody to the version that does not serve. */
async function flagsOf({ records }: Watched, runbook: Scene['runbook'], to: string): Promise<string[]> {
  if (runbook === 'deploy') return [`--version=${to}`, '--yes']
  const record = (await records()).find(({ bundle }) => bundle.services.web?.version === to)
  return [`--to=${record?.release}`, '--yes']
}

/** A shop with a web service, and a worker that must not run twice, and the lines that a runbook's journal has there. */
export async function sceneOf(runbook: Scene['runbook']): Promise<Scene> {
  const shop = await newShop({ worker: true })
  const faults = async () => [...(await shopFaults(shop)), ...overlapping(shop)]
  return sceneIn({ shop, served: () => served(shop), records: () => recordsOf(shop), faults }, runbook)
}

/** A scene in a shop that is there already; where nothing serves yet, its first releases are deployed. */
export async function sceneIn(watched: Watched, runbook: Scene['runbook']): Promise<Scene> {
  const { shop } = watched
  if ((await watched.served()) === 'nothing') await deployed(shop, '1.0.0')
  if (runbook === 'rollback' && (await watched.records()).length < 2) await deployed(shop, '1.1.0')
  const to = OTHER[await watched.served()] ?? ''
  return { ...watched, runbook, lines: await linesOf(shop, runbook, await flagsOf(watched, runbook, to)) }
}

/** What is wrong after a kill at a line of the journal and one recovery; empty when everything is as it must be, and the next case can begin. */
export async function kill(scene: Scene, line: Line, when: 'torn' | 'after', recovery: Recovery): Promise<string[]> {
  const { shop, runbook, lines } = scene
  const before = await scene.served()
  const to = OTHER[before]
  const title = `${runbook} killed at ${line.n}:${when} (${line.says}), ${recovery}`
  if (!to) return [`${title}: ${before} serves, so this case cannot begin`]
  const earlier = journals(shop.home).length
  const died = await invoke(shop, runbook, await flagsOf(scene, runbook, to), {
    // The first lines are about no step, and have the same numbers each time.
    die: scene.byWords && line.says.includes(' ') ? pointThatSays(line.says, when) : `entry:${line.n}:${when}`,
  })
  if (died.signal !== 'SIGKILL') return [`${title}: it did not die there: exit ${died.exit}: ${died.last}\n${died.stderr}`]
  const entries = journals(shop.home)[earlier]?.entries ?? []
  const begun = entries.some(entry => entry.at === 'intent') && entries.at(-1)?.at !== 'ended'
  const settled = await invoke(scene.elsewhere ?? shop, runbook, [`--${recovery}`, '--yes'])
  const wrong: string[] = []
  if (begun ? settled.exit !== 0 : settled.exit !== 3 || !/no unfinished run/.test(settled.stderr))
    wrong.push(`exit ${settled.exit}: ${settled.last}\n${settled.stderr}`)
  // From the line that begins to record the release on, it may be verified, and what is verified is not taken back.
  const recording = line.n >= lineThatSays(lines, 'intent release.record/it')
  const wanted = !entries.some(entry => entry.at === 'intent') ? [before] : recovery === 'resume' ? [to] : recording ? [before, to] : [before]
  const now = await scene.served()
  if (!wanted.includes(now)) wrong.push(`${now} serves, and not ${wanted.join(' or ')}`)
  const [last] = await scene.records()
  if (last?.bundle.services.web?.version !== now) wrong.push(`${last?.bundle.services.web?.version} is the last release on record, and ${now} serves`)
  return [...wrong, ...(await scene.faults())].map(fault => `${title}: ${fault}`)
}

/** After all kills a scene's shop is one like any other: a new version comes, and nothing is left over. */
export async function goesOn({ shop, faults }: Scene): Promise<readonly string[]> {
  await deployed(shop, '1.2.0')
  return faults()
}

/** Lines of a journal at which a runbook is killed, by what they say, and how each is settled. */
export type Cases = Readonly<Record<Scene['runbook'], readonly (readonly [says: string, recovery: Recovery])[]>>

/** What is wrong after kills at some lines of a runbook's journal; after those of a rollback, the shop has to go on. */
export async function killsOf(shop: Watched, runbook: Scene['runbook'], cases: Cases): Promise<string[]> {
  const scene = await sceneIn(shop, runbook)
  const wrong: string[] = []
  for (const [says, recovery] of cases[runbook]) wrong.push(...(await kill(scene, { n: lineThatSays(scene.lines, says), says }, 'after', recovery)))
  return [...wrong, ...(runbook === 'rollback' ? await goesOn(scene) : [])]
}

/** Kills a deploy and a rollback after each kind of line of the journal and in the middle of it, and settles each in both ways; gives how many died. */
export async function everyKill(shop: Watched, tell: (wrong: string) => void): Promise<number> {
  let cases = 0
  for (const runbook of ['deploy', 'rollback'] as const) {
    const scene = await sceneIn(shop, runbook)
    // Of lines that say the same, the first is died at.
    for (const line of new Map(scene.lines.toReversed().map(one => [one.says, one])).values())
      for (const when of ['torn', 'after'] as const)
        for (const recovery of ['resume', 'revert'] as const) {
          for (const wrong of await kill(scene, line, when, recovery)) tell(wrong)
          cases += 1
        }
    if (runbook === 'rollback') for (const wrong of await goesOn(scene)) tell(`after all kills: ${wrong}`)
  }
  return cases
}
