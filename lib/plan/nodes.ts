import { createHash } from 'node:crypto'
import type { Change, Gate, Group, Json, Later, Node, Step } from './plan.ts'

/** Two hours: longer than any step measured so far, short enough that a hung tool is noticed the same night. */
const DEFAULT_BUDGET_MS = 2 * 3_600_000

/** One sentence of a plan; its id is `<verb>/<of>`, which must be unique in the plan. */
export function step(title: string, change: Change, more: { budgetMs?: number; late?: Gate } = {}): Step {
  return {
    kind: 'step',
    id: `${change.verb}/${change.of}`,
    title,
    change,
    budgetMs: more.budgetMs ?? DEFAULT_BUDGET_MS,
    ...(more.late ? { late: more.late } : {}),
  }
}

/** A step that undo never goes behind. */
export function commit(title: string, change: Change): Step {
  return { ...step(title, change), role: 'commit' }
}

/** A step whose failure only warns. */
export function tidy(title: string, change: Change): Step {
  return { ...step(title, change), role: 'tidy' }
}

/** Nodes that run at once; when one fails, the others are stopped. */
export function together(title: string, nodes: readonly Node[]): Group {
  return { kind: 'group', title, nodes, together: true }
}

/** Nodes in turn under one title. */
export function inTurn(title: string, nodes: readonly Node[]): Group {
  return { kind: 'group', title, nodes }
}

/** Nodes in turn while a reader watches; its breach fails the group. */
export function watching(watch: Change, title: string, nodes: readonly Node[]): Group {
  return { kind: 'group', title, nodes, watch }
}

/** A question in the middle of a run; waits twelve hours at most unless told otherwise. */
export function gate(
  title: string,
  more: { id: string; shows?: readonly Change[]; answer: Gate['answer']; unattended: Gate['unattended']; deadlineMs?: number },
): Gate {
  return {
    kind: 'gate',
    id: more.id,
    title,
    shows: more.shows ?? [],
    answer: more.answer,
    unattended: more.unattended,
    deadlineMs: more.deadlineMs ?? 12 * 3_600_000,
  }
}

/** What a step will give, or a field of it, for the arguments of a later step. */
export function result(of: Step, path?: string): Later {
  return path === undefined ? { later: of.id } : { later: of.id, path }
}

/** All steps of a plan in order, out of their groups. */
export function stepsOf(nodes: readonly Node[]): Step[] {
  return nodes.flatMap(node => (node.kind === 'step' ? [node] : node.kind === 'group' ? stepsOf(node.nodes) : []))
}

const isLater = (value: object): value is Later => 'later' in value && typeof value.later === 'string'

/** Arguments with every Later replaced by what `find` knows of it. */
export function settled(args: Json, find: (later: Later) => Json): Json {
  if (args === null || typeof args !== 'object') return args
  if (Array.isArray(args)) return args.map(item => settled(item, find))
  if (isLater(args)) return find(args)
  return Object.fromEntries(Object.entries(args).map(([key, value]) => [key, settled(value, find)]))
}

/** Whether arguments still hold a Later. */
export function hasLater(args: Json): boolean {
  let found = false
  settled(args, () => {
    found = true
    return null
  })
  return found
}

/** JSON with sorted keys, so that equal values have equal text. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, v) =>
    v && typeof v === 'object' && !Array.isArray(v) ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1))) : v,
  )
}

/** A sentence without its hints: `about` in the arguments (sizes to expect) changes nothing of what is done. */
export function identity(change: Change): Json {
  const { args } = change
  if (args === null || typeof args !== 'object' || Array.isArray(args)) return change
  const { about: _, ...rest } = args as { readonly [key: string]: Json }
  return { ...change, args: rest }
}

/** Titles may show moving figures, so only what is done counts for the identity of a plan. */
function bones(node: Node): Json {
  if (node.kind === 'step') return { change: identity(node.change), role: node.role ?? null, budgetMs: node.budgetMs }
  if (node.kind === 'gate') return { gate: node.id, answer: node.answer, unattended: node.unattended }
  return { group: node.nodes.map(bones), together: node.together ?? false, watch: node.watch ?? null }
}

/** SHA-256 of what a plan does; two plans with the same hash do the same. */
export function planHash(nodes: readonly Node[]): string {
  return createHash('sha256')
    .update(canonical(nodes.map(bones)))
    .digest('hex')
}
