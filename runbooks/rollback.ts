import { many, text, typed } from '../lib/run/options.ts'
import { runbook } from '../lib/run/runbook.ts'

export default runbook(import.meta, {
  name: 'rollback',
  does: 'Goes back to the last release that was verified, with the images, files and secrets that it had then.',
  lease: 'release',
  unfinished: 'ask',
  changes: 'Users get the former version.',

  options: {
    to: text({ help: 'a release of releases.ts, by its id or the end of it (default: the one before what serves)', shows: 'release' }),
    service: many({ help: 'a configured service, instead of the release: it goes back to the configuration before' }),
    keepSchema: typed('KEEP', { help: 'although the data was migrated for good since; recorded' }),
  },

  uses: () => import('../lib/run/words.ts'),

  async inspect({ use, site, options, doing }) {
    if (options.service.length > 0) return { configuration: await use.lookBack(site, options.service, options.to, doing) }
    const now = await use.lookAtReleases(site, doing)
    const target = options.to === undefined ? use.targetOf(now.records, now.serving?.release ?? null) : use.namedRelease(now.records, options.to)
    if (!target) return { configuration: undefined, now, target: undefined, kept: null }
    const bundle = use.rolledBack(now, target)
    return { configuration: undefined, now, target: { record: target, bundle }, kept: await use.keptFiles(site, bundle, doing) }
  },

  require: ({ use, site, facts, options }) => {
    if (facts.configuration)
      return [
        ...use.platformAnswers(facts.configuration),
        ...use.configuresAll(site, options.service),
        use.configurationsThere(facts.configuration, options.to),
        use.configurationChanges(facts.configuration),
      ]
    return [
      ...use.platformAnswers(facts.now),
      ...(facts.target
        ? [
            { title: 'it is another one', holds: facts.target.record.release !== facts.now.serving?.release, because: 'That release already serves' },
            ...use.stillThere(facts.target.bundle, facts.kept),
            use.schemaFits(site, facts.now, facts.target.record, options.keepSchema),
          ]
        : [use.nothingToGoBackTo(site, facts.now, options.to)]),
    ]
  },

  shows: ({ use, site, facts, options }) => {
    if (facts.configuration) return [...use.configurationDifference(facts.configuration), '']
    if (!facts.target) return []
    const { note } = use.schemaFits(site, facts.now, facts.target.record, options.keepSchema)
    return [...use.differenceOf(facts.now, facts.target.bundle), ...(note ? [`! ${note}`] : []), '']
  },

  plan: ({ use, site, facts, options, run }) => {
    if (facts.configuration)
      return use.configurePlan({ site, facts: facts.configuration, run, record: { how: 'rollback', approvedBy: null, overrides: [] } })
    return facts.target
      ? use.rollbackPlan({
          site,
          facts: facts.now,
          bundle: facts.target.bundle,
          run,
          record: { how: 'rollback', approvedBy: null, backup: null, overrides: options.keepSchema ? ['keep-schema'] : [] },
        })
      : []
  },

  // What was left out is settled as it was found: later there is another release before what serves.
  settled: ({ facts }) => ({ to: (facts.configuration ? facts.configuration.services[0]?.bundle.release : facts.target?.record.release) ?? null }),

  unchanged: ({ use, facts, results }) =>
    facts.configuration ? use.stillConfigured(facts.configuration) : use.stillServes(facts.now, results.get('front-door/the front door')),

  ends: ({ use, site, facts, results, run }) => {
    if (facts.configuration) return use.configuredEnd(site, facts.configuration, run.began, 'ROLLED BACK')
    const door = results.get('front-door/the front door')
    const version = use.versionsOf(facts.target?.bundle.services ?? {})
    return {
      word: 'ROLLED BACK',
      says: [`${version} serves 100 %`, use.doorSays(door)].filter(Boolean).join('; '),
      result: {
        release: facts.target?.record.release ?? null,
        from: facts.target ? use.madeBy(facts.now, run.id, facts.target.bundle).previous : null,
        door: use.doorFigures(door),
      },
    }
  },
})
