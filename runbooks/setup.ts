import { flag } from '../lib/run/options.ts'
import { runbook } from '../lib/run/runbook.ts'

export default runbook(import.meta, {
  name: 'setup',
  does: 'Makes what a new environment needs: namespace, rights, policies, secrets. What is there already is never replaced.',
  lease: 'release',
  unfinished: 'ask',
  members: 'platform',
  changes: 'What differs from the files becomes as they say.',

  options: {
    data: flag({ help: 'the databases, too, and wait until they are ready' }),
  },

  uses: () => import('../lib/run/words.ts'),

  inspect: ({ use, site, options, doing }) => use.surveyOf(site, options.data, doing),

  require: ({ facts }) => facts?.needs ?? [],

  shows: ({ use, facts }) => use.setupLines(facts),

  ground: async ({ use, site, facts, doing }) => {
    if (facts?.ground) await use.setupOn(site)?.ground(doing)
  },

  plan: ({ use, facts, options }) => use.setupPlan(facts, options.data),

  unchanged: ({ facts, results }) => {
    if (results.get('setup.stands/setup') !== null) return 'rights, policies and secrets are set up and stay; the databases are not'
    return facts?.ground ? `nothing of this run is left but ${facts.ground}` : 'nothing of this run is left'
  },

  ends: ({ use, site, facts, options }) => {
    const result = use.setupResult(facts)
    const parts = [
      ...(result.made.length > 0 ? [`${use.count(result.made.length)} made`] : []),
      ...(result.changed.length > 0 ? [`${use.count(result.changed.length)} changed`] : []),
    ]
    const where = site.platform?.where ?? ''
    const nothing = facts ? `nothing to do: ${where} has everything` : `nothing to do: the ${site.platform?.kind} makes what it needs by itself`
    return {
      says: parts.length > 0 ? `${parts.join(', ')} in ${where}${options.data ? '; the databases are ready' : ''}` : nothing,
      warnings: result.stays.map(what => `${what}; it stays`),
      result,
    }
  },
})
