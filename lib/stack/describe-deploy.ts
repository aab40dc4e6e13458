import type { Duration } from '../plan/durations.ts'

/** An answer that a good release gives at the front door; `service` says who gives it, for a rehearsal, which is asked without one. */
export const http = (path: string, expects: { status?: number; within?: Duration; contains?: string; service?: string } = {}) => ({
  kind: 'http' as const,
  path,
  ...expects,
})
/** A command that exits 0 inside a good release. */
export const run = (service: string, ...argv: readonly [string, ...string[]]) => ({ kind: 'run' as const, service, argv })

/** How releases of a stack are made and judged. */
export type DeployDescription = {
  smoke?: readonly (ReturnType<typeof http> | ReturnType<typeof run>)[]
  /** Checked once the traffic has moved. */
  metrics?: readonly (ReturnType<typeof http> | ReturnType<typeof run>)[]
  /** How long a new release is watched under all of the traffic; 30s unless said. */
  bake?: Duration
  /** Longest time until every service is healthy; 2min unless said. */
  budget?: Duration
  /** A recovery point first; unless said, where the environment is protected. */
  backup?: boolean
  /** `at` prints the id that the data stands at; without `down` a migration is taken for irreversible. */
  migrate?: { service: string; up: readonly string[]; at: readonly string[]; down?: readonly string[] }
  /** A command on this machine that must exit 0 first, unless --skip-tests. */
  tests?: readonly string[]
  /** A command on this machine that must exit 0 with an image's name appended. */
  scan?: readonly string[]
  /** `200MB`: no image may be larger. */
  imageSize?: string
  /** What the flight recorder asks the front door for; the first split service's health, 60 times a second, unless said. */
  probe?: { path: string; perSecond?: number }
  /** What every version must look like, as a regular expression: `^v\\d+\\.\\d+\\.\\d+$`. */
  versions?: string
  /**
   * What releases are given in a rehearsal, by the name of the setting (a variable or a secret of the platform): the part whose copy it leads to, or a
   * value of its own, in place of a part that is left out where `insteadOf` names one. Every part of the data must be named.
   */
  rehearse?: Readonly<Record<string, string | { value: string; insteadOf?: string }>>
  /** Verified releases that are kept; 5 unless said. */
  keep?: number
}
