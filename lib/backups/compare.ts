import { count } from '../plan/durations.ts'
import type { Content } from '../sources/source.ts'

/** What is not equal between two contents, one sentence an item; empty when they hold the same. */
export function differences(wanted: Content, found: Content): string[] {
  const names = [...new Set([...Object.keys(wanted.items), ...Object.keys(found.items)])].sort()
  return names.flatMap(name => {
    const a = wanted.items[name]
    const b = found.items[name]
    if (!a) return [`${name} is not in the backup`]
    if (!b) return [`${name} is missing`]
    if (a.count !== b.count) return [`${name} has ${count(b.count)}, the backup ${count(a.count)}`]
    return a.digest === b.digest ? [] : [`${name} differs in content`]
  })
}
