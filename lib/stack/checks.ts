import type { Check } from '../checks/check.ts'
import { CHECKS, unbuilt } from '../checks/registry.ts'
import type { Platform } from '../platforms/platform.ts'
import type { CheckDescription, StackInUse } from './describe.ts'
import { placed } from './places.ts'
import { type Settings, settleDeep } from './settings.ts'

/** The checks of an environment: its own, or the stack's where it has none. */
export function checksOf({ description, environment }: StackInUse): readonly CheckDescription[] {
  return description.environments[environment]?.checks ?? description.checks ?? []
}

/** The checks, built. One that cannot be, such as one whose secret is not set, is `unknown` when it is looked at. */
export function makeChecks(described: readonly CheckDescription[], settings: Settings, platform?: Platform): Promise<readonly Check[]> {
  const made = described.map(async ({ kind, options }) => {
    const entry = CHECKS[kind as keyof typeof CHECKS]
    try {
      return await entry.make(placed(settleDeep(options, settings, { paths: entry.paths, assets: [] }), platform) as never)
    } catch (error) {
      return unbuilt(kind, options, error)
    }
  })
  return Promise.all(made)
}
