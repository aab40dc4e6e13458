import type { Platform, WriterSwitch } from './platform.ts'

/**
 * A platform that cannot be built here, such as one whose secret is not set on the machine that makes the backups. Work on data goes on without it;
 * whoever needs it is told why there is none.
 */
export function unbuilt(kind: string, error: unknown): Platform {
  const made = unbuiltOf(kind, error)
  all.add(made)
  return made
}

const all = new WeakSet<Platform>()

/** Whether a platform could not be built. */
export const isUnbuilt = (platform: Platform): boolean => all.has(platform)

function unbuiltOf(kind: string, error: unknown): Platform {
  const fail = (): never => {
    throw error
  }
  const writers: WriterSwitch = { running: async () => fail(), stop: fail, start: fail }
  const known: Readonly<Record<PropertyKey, unknown>> = { kind, where: `${kind}, not set up here`, writers }
  const absent: ReadonlySet<PropertyKey> = new Set([
    'then',
    'caution',
    'split',
    'surroundings',
    'secretsOfToday',
    'survivors',
    'endSurvivors',
    'close',
  ])
  return new Proxy({} as Platform, { get: (_, name) => (absent.has(name) ? undefined : (known[name] ?? fail())) })
}
