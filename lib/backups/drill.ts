import { inTurn, result, step, together } from '../plan/nodes.ts'
import type { Node } from '../plan/plan.ts'
import type { Point } from './catalogue.ts'
import type { Manifest } from './manifest.ts'
import { comparePart, loadPart, stampProof, unloadPart } from './sentences.ts'
import type { DataSite } from './site.ts'
import { describedPart, placeOf } from './verify.ts'

/** Restore every part into a throw-away place, compare with the manifest, throw it away, and stamp what was found with the time it took. */
export function drillPlan(site: DataSite, point: Point, run: { readonly id: string; readonly short: string }): Node[] {
  const manifest = point.manifest as Manifest
  const parts = Object.keys(manifest.parts)
  const loads = parts.map(part =>
    step(
      `Load ${part} into a scratch place`,
      loadPart(part, 'scratch', run.short, { ...placeOf(site, point), described: describedPart(point, part) }),
    ),
  )
  const compares = parts.map(part => step(`Compare ${part} with the manifest`, comparePart(part, 'scratch', run.short, manifest, false)))
  const results = parts.map((_, i) => [loads[i], compares[i]].flatMap(of => (of ? [result(of)] : [])))
  return [
    together(
      'Restore and compare',
      parts.map((part, i) =>
        inTurn(
          part,
          [loads[i], compares[i]].flatMap(of => of ?? []),
        ),
      ),
    ),
    together(
      'Throw it away',
      parts.map(part => step(`Remove the scratch ${part}`, unloadPart(part, 'scratch', run.short))),
    ),
    step('Write down what was found', stampProof(placeOf(site, point), 'drill', run.id, results)),
  ]
}
