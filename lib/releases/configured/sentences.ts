import type { Change, Json } from '../../plan/plan.ts'
import { type Bundle, plain } from '../../platforms/platform.ts'

// The sentences of configured services: what plans hold. The verbs behind them are in verbs.ts.

export type ConfigurationArgs = { bundle: Bundle }
/** `says`: what it must say, where it said so before. `back`: what it goes back to; null where nothing was verified before. */
export type ApplyArgs = { bundle: Bundle; says: string | null; back: { bundle: Bundle; says: string } | null }
export type ServiceArgs = { service: string }
export type KeptArgs = { service: string; keep: number }
export type RecordsArgs = { records: readonly Json[]; about: { began: string } }

const said = (verb: string, of: string, args: unknown): Change => ({ verb, of, args: plain(args) })

export const stageConfiguration = (bundle: Bundle) => said('configured.stage', bundle.slot, { bundle })
export const checkedConfiguration = (bundle: Bundle) => said('configured.check', bundle.slot, { bundle })
export const applyConfiguration = (of: string, args: ApplyArgs) => said('configured.apply', of, args)
export const recordConfigurations = (of: string, records: readonly Json[], began: Date) =>
  said('configured.record', of, { records, about: { began: began.toISOString() } })
export const tidyConfigurations = (service: string, keep: number) => said('configured.tidy', service, { service, keep })
