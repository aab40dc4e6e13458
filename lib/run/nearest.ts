import { closest, distance } from 'fastest-levenshtein'

/** ` Did you mean --dry-run?` when a known name is near enough, else the names there are, else ''. */
export function nearest(wrong: string, names: readonly string[], prefix = ''): string {
  if (names.length === 0) return ''
  const best = closest(wrong, [...names])
  // Half of the letters wrong is no typing mistake any more.
  if (distance(wrong, best) <= Math.max(2, best.length / 2 - 1)) return ` Did you mean ${prefix}${best}?`
  return names.length <= 12 ? ` There are: ${names.map(name => prefix + name).join(', ')}.` : ''
}
