import type { Items, PartFacts } from '../sources/source.ts'

/** One line of the table that a restore shows: how many now, how many in the backup, how many of now would be gone at least. */
export type LossRow = { readonly name: string; readonly now: number | null; readonly backup: number | null; readonly lost: number }

/** Items by name, now against the backup; `now` is null where the present cannot be read. */
export function lossOf(facts: Pick<PartFacts, 'state' | 'counts'>, items: Readonly<Record<string, Items>>): LossRow[] {
  const readable = facts.state === 'answers'
  // Items that only the dump knows (a schema) have no live count, and are not records that one could lose.
  const names = [...new Set([...Object.keys(items).filter(name => !readable || name in facts.counts), ...Object.keys(facts.counts)])].sort()
  return names.map(name => {
    const now = readable ? (facts.counts[name] ?? 0) : null
    const backup = items[name]?.count ?? 0
    return { name, now, backup, lost: Math.max(0, (now ?? 0) - backup) }
  })
}
