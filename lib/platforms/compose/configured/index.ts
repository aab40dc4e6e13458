import type { Configured } from '../../configured.ts'
import type { Site } from '../site.ts'
import { refused } from './check.ts'
import { configuredDraft } from './draft.ts'
import { apply, remove, stage, stagedOf, surplus, unstage } from './put.ts'
import { stateOf } from './state.ts'

/** The configured services of a stack, in Compose projects beside the slots. */
export const configuredOf = (site: Site): Configured => ({
  draft: (service, doing) => configuredDraft(site, service, doing),
  stage: bundle => stage(site, bundle),
  staged: (service, release, doing) => stagedOf(site, service, release, doing),
  unstage: (service, release) => unstage(site, service, release),
  refused: (bundle, doing) => refused(site, bundle, doing),
  apply: bundle => apply(site, bundle),
  remove: service => remove(site, service),
  state: (service, doing) => stateOf(site, service, doing),
  surplus: (service, keep, doing) => surplus(site, service, keep, doing),
})
