import { identity } from '../lib/run/data-options.ts'
import { flag, many, text, typed } from '../lib/run/options.ts'
import { isRehearsed } from '../lib/run/release-options.ts'
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
    rehearse: flag({ help: 'only try it: start it off traffic on a copy of the data, say what a rollback would need, and remove both' }),
    backup: text({ help: 'with --rehearse: the recovery point that the copy is made from (default: latest)', shows: 'id|latest' }),
    identity: { ...identity(), when: isRehearsed },
  },

  uses: () => import('../lib/run/words.ts'),

  async inspect({ use, site, options, run, doing }) {
    if (options.service.length > 0 && !options.rehearse) return { configuration: await use.lookBack(site, options.service, options.to, doing) }
    const now = await use.lookAtReleases(site, doing)
    const target = options.to === undefined ? use.targetOf(now.records, now.serving?.release ?? null) : use.namedRelease(now.records, options.to)
    if (!target) return { configuration: undefined, now, target: undefined, kept: null, rehearsal: undefined, notes: [] }
    const found = { record: target, bundle: use.rolledBack(now, target) }
    const kept = await use.keptFiles(site, found.bundle, doing)
    const tries = options.rehearse && kept !== null && site.platform !== undefined
    return {
      configuration: undefined,
      now,
      target: found,
      kept,
      rehearsal: tries ? await use.lookAtRehearsal(site, now, found, { backup: options.backup, run: run.short }, doing) : undefined,
      notes: options.rehearse ? [] : await use.otherSecrets(site, found.bundle, doing),
    }
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
      use.rehearsedAlone(options),
      ...(facts.target
        ? [
            { title: 'it is another one', holds: facts.target.record.release !== facts.now.serving?.release, because: 'That release already serves' },
            ...use.stillThere(facts.target.bundle, facts.kept),
            ...(options.rehearse ? [] : [use.schemaFits(site, facts.now, facts.target.record, options.keepSchema)]),
          ]
        : [use.nothingToGoBackTo(site, facts.now, options.to)]),
      ...(facts.rehearsal
        ? [
            ...use.keptApart(site, facts.rehearsal),
            ...facts.rehearsal.parts.flatMap(part => use.hasTools(part)),
            use.decryptable(site, facts.rehearsal.point),
          ]
        : []),
    ]
  },

  shows: ({ use, site, facts, options }) => {
    if (facts.configuration) return [...use.configurationDifference(facts.configuration), '']
    if (!facts.target) return []
    if (facts.rehearsal) return use.rehearsalLines(site, facts.now, facts.rehearsal)
    const { note } = use.schemaFits(site, facts.now, facts.target.record, options.keepSchema)
    const notes = [...(note ? [note] : []), ...facts.notes]
    return [...use.differenceOf(facts.now, facts.target.bundle), ...notes.map(one => `! ${one}`), '']
  },

  // No backup is taken, and none let go of, while a copy is made of one.
  holds: ({ facts }) => (!facts.configuration && facts.rehearsal ? ['data'] : []),

  plan: ({ use, site, facts, options, run }) => {
    if (facts.configuration)
      return use.configurePlan({ site, facts: facts.configuration, run, record: { how: 'rollback', approvedBy: null, overrides: [] } })
    if (facts.rehearsal) return use.rehearsalPlan({ site, now: facts.now, facts: facts.rehearsal, run })
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

  // What was left out is settled as it was found: later there is another release before what serves, and another latest backup.
  settled: ({ facts }) => {
    if (facts.configuration) return { to: facts.configuration.services[0]?.bundle.release ?? null }
    return { to: facts.target?.record.release ?? null, ...(facts.rehearsal ? { backup: facts.rehearsal.point.id } : {}) }
  },

  unchanged: ({ use, facts, results }) => {
    if (facts.configuration) return use.stillConfigured(facts.configuration)
    if (facts.rehearsal) return 'nothing was found out; what serves and live data were not touched, and nothing of the rehearsal is left'
    return use.stillServes(facts.now, results)
  },

  ends: ({ use, site, facts, results, run }) => {
    if (facts.configuration) return use.configuredEnd(site, facts.configuration, run.began, 'ROLLED BACK')
    if (facts.rehearsal && facts.target) return use.rehearsalEnd(site, facts.now, facts.target.record, facts.rehearsal, results)
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
