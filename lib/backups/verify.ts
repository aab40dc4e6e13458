import { inTurn, result, step, together } from '../plan/nodes.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Json, Node } from '../plan/plan.ts'
import type { Point } from './catalogue.ts'
import type { Sampling } from './sample.ts'
import { examinePart, samplePart, stampProof } from './sentences.ts'
import { type DataSite, firstStore, folderOf } from './site.ts'

/** Where a point stands, as verbs are told. */
export function placeOf(site: DataSite, point: Point): { store: string; folder: string; id: string } {
  return { store: firstStore(site).name, folder: `${folderOf(site)}/${point.id}`, id: point.id }
}

/** What the manifest says of a part, without its content where a verb does not need it. */
export function describedPart(point: Point, part: string): Json {
  return (point.manifest?.parts[part] ?? null) as unknown as Json
}

/** Examine every part of a point; ids carry the point, because several may be examined in one plan. */
export function examineParts(site: DataSite, point: Point, must: boolean) {
  return Object.keys(point.manifest?.parts ?? {}).map(part => {
    const change = examinePart(part, { ...placeOf(site, point), described: describedPart(point, part) }, must)
    return step(`Read ${part}`, { ...change, of: `${part} of ${point.id}` })
  })
}

function sampleParts(site: DataSite, point: Point, sampling: Sampling) {
  return Object.keys(point.manifest?.parts ?? {}).map(part => {
    const change = samplePart(part, { ...placeOf(site, point), described: describedPart(point, part) }, sampling)
    return step(`Read ${sampling.percent} % of ${part}, seed ${sampling.seed}`, { ...change, of: `${part} of ${point.id}` })
  })
}

/** Read each point whole, or a sample of it, then stamp what was found. */
export function verifyPoints(site: DataSite, points: readonly Point[], run: string, sampling?: Sampling): Node[] {
  return points.map(point => {
    const steps = sampling ? sampleParts(site, point, sampling) : examineParts(site, point, false)
    const results = steps.map(step => [result(step)])
    return inTurn(point.id, [
      together(sampling ? 'Read a sample of every part' : 'Read every part', steps),
      step('Write down what was found', stampProof(placeOf(site, point), sampling ? 'sample' : 'verify', run, results, sampling)),
    ])
  })
}

/** Percent of the frames that a sample reads unless told otherwise. */
const PERCENT = 5

/** The sample that was asked for; undefined for a whole reading. Without a seed the run's own random mark is one. Trouble(2) for what cannot be. */
export function samplingOf(asked: { sample: boolean; percent?: string | undefined; seed?: string | undefined }, mark: string): Sampling | undefined {
  if (!asked.sample) {
    const [stray] = [asked.percent === undefined ? [] : ['--percent'], asked.seed === undefined ? [] : ['--seed']].flat()
    if (stray) throw new Trouble(2, `${stray} says how a sample is taken; add --sample`)
    return undefined
  }
  const percent = Number(asked.percent ?? PERCENT)
  if (!(percent > 0 && percent <= 100)) throw new Trouble(2, `--percent=${asked.percent} is not a number above 0 and up to 100`)
  return { percent, seed: asked.seed ?? mark }
}

/** What a sample read, and what that proves. A good one says nothing of the bytes between. */
export function sampleSays(points: readonly Point[], results: { get(step: string): Json }): { frames: number; of: number; proves: string } {
  const stamps = points.flatMap(point => (results.get(`stamp/${point.id}`) as { sample?: { frames: number; of: number } } | null)?.sample ?? [])
  const [frames, of] = [stamps.reduce((sum, stamp) => sum + stamp.frames, 0), stamps.reduce((sum, stamp) => sum + stamp.of, 0)]
  const missed = of === 0 ? 1 : 1 - frames / of
  const chance = (damaged: number) => Math.floor(1000 * (1 - missed ** damaged)) / 10
  const proves =
    frames === of
      ? 'every frame was read, but not compared with the SHA-256 of the whole, so it makes no backup VERIFIED'
      : `one damaged frame would have been found with a chance of ${chance(1)} %, ten with ${chance(10)} %; what lies between was not read, so it makes no backup VERIFIED`
  return { frames, of, proves }
}

/** What was found of each point, from the results of its stamp; a point that the run did not come to (a backup made while it was away) is not among them. */
export function verdictsOf(points: readonly Point[], results: { get(step: string): Json }): { id: string; findings: readonly string[] }[] {
  return points.flatMap(point => {
    const stamp = results.get(`stamp/${point.id}`) as { findings?: readonly string[] } | null
    return stamp ? [{ id: point.id, findings: stamp.findings ?? [] }] : []
  })
}
