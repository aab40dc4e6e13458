import { runbook } from '../lib/run/runbook.ts'

export default runbook(import.meta, {
  name: 'releases',
  does: 'Lists the releases that were verified: when, what, by whom, and which one a rollback goes to.',
  lease: 'none',
  check: true,
  unfinished: 'ask',
  options: {},

  uses: () => import('../lib/run/words.ts'),

  inspect: ({ use, site, doing }) => use.lookAtReleases(site, doing),

  ends: ({ use, site, facts }) => {
    if (facts.platform.state !== 'answers')
      return { exit: 8, says: 'could not look', why: `${facts.platform.where}: ${facts.platform.because ?? facts.platform.state}` }
    const serves = facts.serving?.release ? use.versionsOf(facts.serving.services) : 'nothing'
    return {
      says: `${use.plural(facts.records.length, 'verified release')}; ${serves} serves`,
      summary: use.releaseTable(facts, iso => use.when(iso, site.timezone)),
      result: use.releaseResult(facts),
      warnings: facts.serving?.release && !facts.current ? ['what serves was never verified by this toolkit'] : [],
    }
  },
})
