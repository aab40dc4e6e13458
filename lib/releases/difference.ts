import type { Bundle, ImageFacts } from '../platforms/platform.ts'
import type { ReleaseFacts } from './facts.ts'

const short = (digest: string | null | undefined) => (digest ? `${digest.replace(/^sha256:/, 'sha256:').slice(0, 15)}…` : 'no digest')

/** What a release changes of what serves: a line a service, then files, then secrets by name, never a value. */
export function differenceOf(facts: ReleaseFacts, bundle: Bundle): string[] {
  const now = facts.serving?.services ?? {}
  const width = Math.max(0, ...Object.keys(bundle.services).map(name => name.length))
  const services = Object.entries(bundle.services).map(([name, to]) => {
    const from = now[name]
    if (!from) return `  ${name.padEnd(width)}  new: ${to.version}  ${short(to.digest)}`
    if (from.version === to.version && from.digest === to.digest) return `  ${name.padEnd(width)}  unchanged: ${to.version}`
    return `  ${name.padEnd(width)}  ${from.version} → ${to.version}   ${short(from.digest)} → ${short(to.digest)}`
  })
  const gone = Object.entries(now).filter(([name]) => !(name in bundle.services))
  const lines = [...services, ...gone.map(([name, { version }]) => `  ${name.padEnd(width)}  gone: was ${version}`)]
  const before = facts.current?.bundle
  if (!before) return lines
  return [...lines, ...changes('file', before.files, bundle.files), ...changes('secret', before.secrets, bundle.secrets)]
}

/** What is new, gone or changed between two lists of fingerprints, a line each. */
export function changes(what: string, from: Readonly<Record<string, string>>, to: Readonly<Record<string, string>>): string[] {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort()
  return names.flatMap(name => {
    if (from[name] === to[name]) return []
    const how = from[name] === undefined ? 'new' : to[name] === undefined ? 'gone' : 'changed'
    return [`  ${what} ${name}: ${how}`]
  })
}

/** Whether a release is just what serves: the same images, files and secrets. */
export function isSame(facts: ReleaseFacts, bundle: Bundle): boolean {
  const now = facts.serving?.services
  const { current } = facts
  if (!now || !current) return false
  const images = Object.entries(bundle.services).every(([name, to]) => now[name]?.version === to.version && now[name]?.digest === to.digest)
  return (
    images &&
    Object.keys(now).every(name => name in bundle.services) &&
    changes('file', current.bundle.files, bundle.files).length === 0 &&
    changes('secret', current.bundle.secrets, bundle.secrets).length === 0
  )
}

/** Services whose new version is lower than the one that serves, by the numbers in it. */
export function downgrades(facts: ReleaseFacts, images: readonly ImageFacts[]): string[] {
  return images.flatMap(({ service, version }) => {
    const now = facts.serving?.services[service]?.version
    return now !== undefined && isLower(version, now) ? [`${service} ${now} → ${version}`] : []
  })
}

function isLower(version: string, than: string): boolean {
  const numbers = (text: string) => (/^v?(\d+)\.(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number)
  const [a, b] = [numbers(version), numbers(than)]
  if (a.length === 0 || b.length === 0) return false
  const at = a.findIndex((n, i) => n !== b[i])
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0)
}
