import { isDeepStrictEqual } from 'node:util'
import { hasLater, identity, planHash, settled, stepsOf } from '../plan/nodes.ts'
import { type Exit, Trouble } from '../plan/outcome.ts'
import type { Doing, Json, Node, Step } from '../plan/plan.ts'
import { pooled } from '../plan/pool.ts'
import type { ReleaseSite } from '../releases/site.ts'
import { type Verbs, verbOf } from './context.ts'
import type { Options } from './options.ts'
import type { At, Definition, Requirement, RunName } from './runbook.ts'
import type { PlanLine } from './show/plan.ts'

/** A plan with what it was made from: the facts, and the state before each step that could already be looked at. */
export type Prepared<F> = { readonly facts: F; readonly nodes: readonly Node[]; readonly hash: string; readonly befores: ReadonlyMap<string, Json> }

type Def<F> = Definition<Options, F>

/** Looks, checks the requirements, and plans; writes nothing. Throws Trouble when a requirement does not hold. */
export async function prepare<F>(definition: Def<F>, at: At<Options>, verbs: Verbs): Promise<Prepared<F>> {
  const facts = await definition.inspect(at)
  refuse(definition.require?.({ ...at, facts }) ?? [])
  const nodes = definition.plan?.({ ...at, facts }) ?? []
  unique(nodes)
  return { facts, nodes, hash: planHash(nodes), befores: await looks(nodes, verbs, at.site, at.doing) }
}

function refuse(requirements: readonly Requirement[]): void {
  const broken = requirements.filter(requirement => !requirement.holds)
  if (broken.length === 0) return
  // The gravest meaning counts: what is corrupt is more than what is missing.
  const exit = Math.max(...broken.map(requirement => requirement.exit ?? 3)) as Exit
  throw new Trouble(exit, broken.map(({ because }) => because).join('\n'), { next: broken.flatMap(({ mend }) => (mend ? [mend] : [])) })
}

function unique(nodes: readonly Node[]): void {
  const ids = stepsOf(nodes).map(step => step.id)
  const twice = ids.find((id, i) => ids.indexOf(id) !== i)
  if (twice) throw new Trouble(1, `The plan has two steps named ${twice}`)
}

/** Steps looked at once while planning; a store or a server is asked by each. */
const LOOKERS = 16

async function looks(nodes: readonly Node[], verbs: Verbs, site: ReleaseSite, doing: Doing): Promise<Map<string, Json>> {
  const lookable = stepsOf(nodes).filter(step => verbOf({ verbs }, step.change.verb).does && !hasLater(step.change.args))
  const look = async (step: Step): Promise<[string, Json][]> => {
    try {
      return [[step.id, (await verbOf({ verbs }, step.change.verb).look(step.change.args, site, doing)).state]]
    } catch (error) {
      // A tidy step only warns when its time comes, so it must not keep the rest from beginning.
      if (step.role === 'tidy') return []
      throw error
    }
  }
  return new Map((await pooled(lookable, LOOKERS, look)).flat())
}

/** What is different between the plan that was confirmed and the one made now, as lines; empty when nothing is. */
export function drift(then: Prepared<unknown>, now: Prepared<unknown>): string[] {
  const lines: string[] = []
  const [a, b] = [then, now].map(({ nodes }) => new Map(stepsOf(nodes).map(step => [step.id, step])))
  for (const [id, step] of a as Map<string, Step>) {
    const other = b?.get(id)
    if (!other) lines.push(`- ${step.title}: no longer in the plan`)
    else if (!isDeepStrictEqual(identity(step.change), identity(other.change)))
      lines.push(`~ ${step.title}: ${JSON.stringify(step.change.args)} → ${JSON.stringify(other.change.args)}`)
  }
  for (const [id, step] of b as Map<string, Step>) if (!a?.has(id)) lines.push(`+ ${step.title}: new in the plan`)
  for (const [id, before] of then.befores) {
    const found = now.befores.get(id)
    if (now.befores.has(id) && !isDeepStrictEqual(before, found))
      lines.push(`! ${a?.get(id)?.title}: found ${JSON.stringify(found)}, was ${JSON.stringify(before)}`)
  }
  if (lines.length === 0 && then.hash !== now.hash) lines.push('~ the order or the limits of the steps')
  return lines
}

/** The plan as it is shown: each line with its undo and, for a dry run, what it would run. */
export function shownPlan(prepared: Prepared<unknown>, verbs: Verbs, site: ReleaseSite): PlanLine[] {
  const line = (node: Node): PlanLine => {
    if (node.kind === 'gate') return { gate: node.title }
    if (node.kind === 'group')
      return {
        group: node.title,
        lines: node.nodes.map(line),
        ...(node.together ? { together: true } : {}),
        ...(node.watch ? { watch: node.watch.of } : {}),
      }
    return stepLine(node, verbs, site, prepared.befores.get(node.id) ?? null)
  }
  return prepared.nodes.map(line)
}

function stepLine(step: Step, verbs: Verbs, site: ReleaseSite, before: Json): PlanLine {
  const verb = verbOf({ verbs }, step.change.verb)
  const args = settled(step.change.args, later => `‹${later.path ?? 'result'} of ${later.later}›`)
  if (!verb.does) return { title: step.title, undo: null, prints: ['looks, until it is so'] }
  const undo = before === null ? undefined : verb.undo(args, before)
  return {
    title: step.title,
    undo: verb.undone ?? (undo && 'none' in undo ? { none: undo.none } : { none: 'it stays' }),
    prints: verb.does(args, site).map(action => action.prints),
  }
}

/** Whether a plan changes what cannot be had again, and whether a typed gate stands before that. */
export function dangers(nodes: readonly Node[], verbs: Verbs): { destroys: boolean; gated: boolean; gates: boolean } {
  let gated = false
  let destroysUngated = false
  let destroys = false
  let gates = false
  const walk = (list: readonly Node[]): void => {
    for (const node of list) {
      if (node.kind === 'group') walk(node.nodes)
      else if (node.kind === 'gate') {
        gates = true
        gated ||= node.answer !== 'yes'
      } else if (verbOf({ verbs }, node.change.verb).effect === 'destroy' && node.role !== 'tidy') {
        destroys = true
        destroysUngated ||= !gated
      }
    }
  }
  walk(nodes)
  return { destroys, gated: destroys && !destroysUngated, gates }
}

/** The names of a run that begins now. */
export function nameRun(runbook: string, began = new Date()): RunName {
  const time = `${began.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
  const mark = Math.floor(Math.random() * 0x1000000)
    .toString(16)
    .padStart(6, '0')
  return { id: `${time}-${runbook}-r${mark}`, short: `${time.toLowerCase()}${mark}`, began }
}

/** The name of a run from its id. */
export function namedRun(id: string): RunName {
  const mark = id.slice(-6)
  const time = id.slice(0, 16)
  const iso = `${time.slice(0, 4)}-${time.slice(4, 6)}-${time.slice(6, 8)}T${time.slice(9, 11)}:${time.slice(11, 13)}:${time.slice(13, 15)}Z`
  return { id, short: `${time.toLowerCase()}${mark}`, began: new Date(iso) }
}
