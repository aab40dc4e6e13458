import { inTurn, result, step, together } from '../plan/nodes.ts'
import type { Json, Node } from '../plan/plan.ts'
import type { Point } from './catalogue.ts'
import { examinePart, stampProof } from './sentences.ts'
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

/** Read each point whole, then stamp what was found. */
export function verifyPoints(site: DataSite, points: readonly Point[], run: string): Node[] {
  return points.map(point => {
    const steps = examineParts(site, point, false)
    return inTurn(point.id, [
      together('Read every part', steps),
      step(
        'Write down what was found',
        stampProof(
          placeOf(site, point),
          'verify',
          run,
          steps.map(step => [result(step)]),
        ),
      ),
    ])
  })
}

/** What was found of each point, from the results of its stamp; a point that the run did not come to (a backup made while it was away) is not among them. */
export function verdictsOf(points: readonly Point[], results: { get(step: string): Json }): { id: string; findings: readonly string[] }[] {
  return points.flatMap(point => {
    const stamp = results.get(`stamp/${point.id}`) as { findings?: readonly string[] } | null
    return stamp ? [{ id: point.id, findings: stamp.findings ?? [] }] : []
  })
}
