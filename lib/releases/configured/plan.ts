import { commit, step, tidy } from '../../plan/nodes.ts'
import type { Node } from '../../plan/plan.ts'
import { type Bundle, plain } from '../../platforms/platform.ts'
import { fetchImages } from '../sentences.ts'
import type { ReleaseSite } from '../site.ts'
import { type ConfiguredFacts, isAsWanted, type ServiceFacts } from './facts.ts'
import type { ConfiguredRecord } from './records.ts'
import { applyConfiguration, checkedConfiguration, recordConfigurations, stageConfiguration, tidyConfigurations } from './sentences.ts'

/** Budgets of the single steps, in milliseconds: many times what they took in trials. */
const FETCH_MS = 20 * 60_000
const STAGE_MS = 120_000
const CHECK_MS = 120_000

/** What a change of configured services is made from. */
export type NewConfiguration = {
  readonly site: ReleaseSite
  readonly facts: ConfiguredFacts
  readonly run: { readonly id: string; readonly short: string; readonly began: Date }
  readonly record: Pick<ConfiguredRecord, 'how' | 'approvedBy' | 'overrides'>
}

/** Everything is put beside what is in use and checked in its own image first; then one service after the other takes it and says so. */
export function configurePlan(what: NewConfiguration): Node[] {
  const { site, facts, run } = what
  const changing = facts.services.filter(service => !isAsWanted(service))
  const merged: Bundle = {
    release: run.short,
    slot: 'configured',
    services: Object.assign({}, ...changing.map(({ bundle }) => bundle.services)),
    files: {},
    secrets: {},
  }
  return [
    step('Fetch the images', fetchImages(merged), { budgetMs: FETCH_MS }),
    ...changing.map(({ name, bundle }) => step(`Put the files of ${name} beside those in use`, stageConfiguration(bundle), { budgetMs: STAGE_MS })),
    ...changing.map(({ name, bundle }) => step(`Have the image of ${name} check them`, checkedConfiguration(bundle), { budgetMs: CHECK_MS })),
    ...changing.map(one => step(titleOf(one), applied(one), { budgetMs: site.deploy.budgetMs })),
    commit('Record what they run', recordConfigurations(run.short, recordsOf(what, changing), run.began)),
    ...changing.map(({ name }) => tidy(`Let go of old configurations of ${name}`, tidyConfigurations(name, site.deploy.keep))),
  ]
}

function titleOf({ name, state, bundle }: ServiceFacts): string {
  const to = bundle.services[name]?.version
  if (!state.runs) return `Start ${name} ${to} with them, until it says that it runs them`
  return state.version === to
    ? `Have ${name} read them, until it says that it runs them`
    : `Replace ${name} ${state.version} by ${to} with them, until it says that it runs them`
}

function applied({ bundle, says, current }: ServiceFacts) {
  const back = current ? { bundle: current.bundle, says: current.says } : null
  return applyConfiguration(bundle.slot, { bundle, says, back })
}

function recordsOf({ site, run, record }: NewConfiguration, changing: readonly ServiceFacts[]) {
  return changing.map(({ name, bundle, own, state }) =>
    plain({ ...record, release: bundle.release, run: run.id, service: name, bundle, own, previous: state.release, by: site.by }),
  )
}
