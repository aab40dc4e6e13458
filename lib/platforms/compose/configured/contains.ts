import { canonical } from '../../../plan/nodes.ts'

/**
 * Where what a service says misses what its file says, as a path; undefined when all of it is there. Services print their configuration
 * anew: with defaults, whole paths, other quotes, other spellings of times, and `<secret>` for what is nobody's business.
 */
export function missingFrom(file: unknown, said: unknown, at = ''): string | undefined {
  if (file === null || file === undefined) return undefined
  if (Array.isArray(file)) {
    if (!Array.isArray(said)) return file.length === 0 ? undefined : at
    if (file.length !== said.length) return `${at} (${said.length} instead of ${file.length})`
    return firstOf(file.map((item, i) => missingFrom(item, said[i], `${at}[${i}]`)))
  }
  if (typeof file === 'object') {
    const known = typeof said === 'object' && said !== null ? (said as Readonly<Record<string, unknown>>) : {}
    return firstOf(Object.entries(file).map(([key, value]) => missingFrom(value, known[key], at === '' ? key : `${at}.${key}`)))
  }
  return sameText(file, said) ? undefined : `${at} (${said === undefined ? 'not there' : JSON.stringify(said)} instead of ${JSON.stringify(file)})`
}

const firstOf = (all: readonly (string | undefined)[]) => all.find(one => one !== undefined)

function sameText(file: unknown, said: unknown): boolean {
  // What is off or empty is not printed.
  if (said === undefined) return file === false || file === 0 || file === ''
  if (typeof said === 'object') return false
  const [a, b] = [String(file), String(said)]
  return b === '<secret>' || plain(a) === plain(b) || b.endsWith(`/${a}`) || (seconds(a) !== undefined && seconds(a) === seconds(b))
}

/** Without quotes and spaces, of which matchers have any number. */
const plain = (text: string) => text.replaceAll(/["'\s]/g, '')

const UNITS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800, y: 31_536_000 }

/** Seconds of a time as Prometheus writes it, `1h30m`; undefined for other text. */
export function seconds(text: string): number | undefined {
  if (!/^(\d+(ms|[smhdwy]))+$/.test(text)) return text === '0' ? 0 : undefined
  return [...text.matchAll(/(\d+)(ms|[smhdwy])/g)].reduce((sum, [, n, unit = '']) => sum + Number(n) * (UNITS[unit] ?? 0), 0)
}

type Rule = {
  readonly record?: string
  readonly alert?: string
  readonly for?: string | number
  readonly labels?: unknown
  readonly annotations?: unknown
}
/** A group of a file of rules. */
export type RuleGroup = { readonly name: string; readonly rules?: readonly Rule[] }

type SaidRule = {
  readonly name: string
  readonly duration?: number
  readonly query: string
  readonly labels?: unknown
  readonly annotations?: unknown
}
/** A group as Prometheus tells of it. */
export type SaidGroup = { readonly name: string; readonly rules: readonly SaidRule[] }

/** Which rule of the files Prometheus does not have as it is written, or has too much. Expressions are not compared: it prints them anew. */
export function missingRules(groups: readonly RuleGroup[], said: readonly SaidGroup[]): string | undefined {
  const bare = (rule: Rule) => [rule.alert ?? rule.record ?? '', seconds(String(rule.for ?? 0)) ?? 0, rule.labels ?? {}, rule.annotations ?? {}]
  const wanted = groups.map(({ name, rules = [] }) => [name, rules.map(bare)] as const).toSorted(byName)
  const found = said
    .map(({ name, rules }) => [name, rules.map(rule => [rule.name, rule.duration ?? 0, rule.labels ?? {}, rule.annotations ?? {}])] as const)
    .toSorted(byName)
  if (canonical(texts(wanted)) === canonical(texts(found))) return undefined
  const other = wanted.find(group => !found.some(one => canonical(texts(one)) === canonical(texts(group))))
  return other ? `the rules of ${other[0]}` : 'rules that no file has'
}

const byName = (a: readonly [string, unknown], b: readonly [string, unknown]) => (a[0] < b[0] ? -1 : 1)

/** Labels are texts, whatever YAML makes of `1`. */
const texts = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(texts)
  if (value !== null && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, texts(one)]))
  return String(value)
}
