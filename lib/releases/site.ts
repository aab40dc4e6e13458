import type { DataSite } from '../backups/site.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Platform, Service, Split } from '../platforms/platform.ts'
import type { SetupWants } from '../platforms/setup.ts'

/** What must hold of a release before it is called good: an answer of the front door, or a command of a service that exits 0. */
export type Smoke =
  | {
      readonly kind: 'http'
      readonly path: string
      readonly status: number
      readonly withinMs: number
      /** Text that the answer must contain. */
      readonly contains?: string
      /** Who gives it; known to the front door alone where it is absent and several are behind it. */
      readonly service?: string
    }
  | { readonly kind: 'run'; readonly service: string; readonly argv: readonly string[] }

/** Migrations of the data that a release needs: commands in a throw-away instance of a service. */
export type Migrate = {
  readonly service: string
  readonly up: readonly string[]
  /** Prints the id of the migration that the data stands at. */
  readonly at: readonly string[]
  /** Takes back what `up` did; without it there is no way back, and none is tried. `{to}` becomes the id to go back to. */
  readonly down?: readonly string[]
}

/** What a setting is in a rehearsal: the part whose copy it leads to, or a value of its own, in place of a part that is left out where it says so. */
export type Rehearsed = string | { readonly value: string; readonly insteadOf?: string }

/** How releases of a stack are made and judged. */
export type Deploy = {
  readonly smoke: readonly Smoke[]
  /** Checked once the traffic has moved, as `smoke` is before. */
  readonly metrics: readonly Smoke[]
  readonly bakeMs: number
  /** Longest time from the start until every service is healthy. */
  readonly budgetMs: number
  /** Whether a recovery point is taken first. */
  readonly backup: boolean
  readonly migrate?: Migrate
  /** What releases are given in a rehearsal, by the name of the setting. */
  readonly rehearse?: Readonly<Record<string, Rehearsed>>
  /** Commands on this machine that must exit 0 first. */
  readonly tests?: readonly string[]
  readonly scan?: readonly string[]
  /** Largest image that is let through, in bytes. */
  readonly imageBytes?: number
  /** Path that the flight recorder asks for, and how often a second. */
  readonly probe: { readonly path: string; readonly perSecond: number }
  /** Verified releases that are kept, with their images and files. */
  readonly keep: number
  /** What every version must look like, as a regular expression. */
  readonly versions?: string
}

/** A time in which nothing is deployed: a span of the stack's time zone, or as long as a setting says so. */
export type Freeze =
  | { readonly kind: 'window'; readonly fromMs: number; readonly toMs: number; readonly why: string }
  | { readonly kind: 'set'; readonly name: string; readonly set: boolean; readonly why: string }

/** What the verbs of releases know of a stack, besides its data. */
export interface ReleaseSite extends DataSite {
  readonly platform?: Platform
  readonly services: ReadonlyMap<string, Service>
  /** Names of the services that are configured instead of released. */
  readonly configured?: ReadonlySet<string>
  readonly deploy: Deploy
  readonly freezes: readonly Freeze[]
  /** What the stack file says of a new environment; settings are read when it is asked. */
  readonly setup?: () => SetupWants
  /** How many people besides the operator must agree. */
  readonly approvals: number
}

/** The platform of an environment, or Trouble(2) where it has none. */
export function platformOf(site: Pick<ReleaseSite, 'platform' | 'stack' | 'environment'>): Platform {
  if (site.platform) return site.platform
  throw new Trouble(2, `${site.stack}/${site.environment} has no platform, so nothing can be deployed to it`, {
    next: [`add platform: compose({ … }) to the environment in config/${site.stack}.ts`],
  })
}

/** The two slots of a platform; Trouble(1) on one that replaces in place, whose plans have no such step. */
export function splitOf(site: ReleaseSite): Split {
  const { split } = platformOf(site)
  if (!split) throw new Trouble(1, `${platformOf(site).kind} has no slots`)
  return split
}
