import { flag, many, text, typed } from '../lib/run/options.ts'
import { isReleased, nowServes } from '../lib/run/release-options.ts'
import { runbook } from '../lib/run/runbook.ts'

export default runbook(import.meta, {
  name: 'deploy',
  does: 'Puts a new version beside the current one, moves the traffic, watches it, and goes back by itself if it is bad.',
  lease: 'release',
  unfinished: 'ask',
  changes: 'Users get the new version.',

  options: {
    version: text({ ask: 'Version', hint: nowServes, help: 'of all services', needed: true, unless: ['set'], when: isReleased, shows: 'version' }),
    set: many({ help: 'of one service: --set backend=1.4.2' }),
    service: many({ help: 'only these services get --version; a configured one gets its configuration' }),
    approvedBy: text({ help: 'who agreed, where the environment needs it; recorded', shows: 'name' }),
    overrideFreeze: typed('DEPLOY', { help: 'deploy although the environment is frozen; recorded' }),
    skipTests: flag({ help: 'without the tests command of the stack; recorded' }),
    skipBackup: flag({ help: 'without a backup first; recorded', consent: true }),
  },

  uses: () => import('../lib/run/words.ts'),

  async inspect({ use, site, options, run, doing }) {
    if (use.namedServices(site, options).configures)
      return { configuration: await use.lookAtConfigured(site, options, run.short, doing), atMs: run.began.getTime() }
    const now = await use.lookAtReleases(site, doing)
    const wanted = use.wantedOf(site, now, options)
    const answers = now.platform.state === 'answers' && use.askedRight(site, options).every(({ holds }) => holds)
    const saves = site.deploy.backup && !options.skipBackup
    const drafting = answers ? use.draftOf(site, doing) : Promise.resolve({ files: {}, secrets: {} })
    const [draft, images, data, tests, scans] = await Promise.all([
      drafting,
      // Not before: where only a pod can look at images, it takes room of a quota, and would be left when the draft is refused.
      drafting.then(() => (answers ? use.imagesOf(site, wanted, doing) : [])),
      saves ? use.lookAt(site, doing) : undefined,
      site.deploy.tests && !options.skipTests ? use.runOnce(site.deploy.tests, doing) : undefined,
      answers ? use.scansOf(site, wanted, doing) : [],
    ])
    const bundle = use.bundleOf(run.short, now.standing.idle, images, draft)
    return { configuration: undefined, now, wanted, images, data, tests, scans, bundle, atMs: run.began.getTime() }
  },

  require: ({ use, site, facts, options }) =>
    facts.configuration
      ? [
          ...use.platformAnswers(facts.configuration),
          ...use.configuresOnly(site, options),
          ...use.imagesThere(
            site,
            facts.configuration.services.flatMap(({ image }) => image ?? []),
          ),
          ...use.roomThere(
            facts.configuration,
            facts.configuration.services.flatMap(({ image }) => image ?? []),
          ),
          use.configurationChanges(facts.configuration),
          use.notFrozen(site, options.overrideFreeze, facts.atMs),
          ...use.approved(site, options.approvedBy),
        ]
      : [
          ...use.platformAnswers(facts.now),
          ...use.askedRight(site, options),
          ...use.versionsKnown(facts.wanted),
          ...use.imagesThere(site, facts.images),
          ...use.roomThere(facts.now, facts.images),
          {
            title: 'something changes',
            holds: !use.isSame(facts.now, facts.bundle),
            because: `${use.versionsOf(facts.bundle.services)} already serves, with the same images, files and secrets`,
          },
          use.notFrozen(site, options.overrideFreeze, facts.atMs),
          ...use.approved(site, options.approvedBy),
          ...use.passed('tests', facts.tests, '--skip-tests'),
          ...facts.scans.flatMap(scan => use.passed('scan', scan)),
          ...(facts.data?.parts.flatMap(part => [...use.hasTools(part), use.savable(part)]) ?? []),
          ...(facts.data?.stores.slice(0, 1).flatMap(store => use.writable(store)) ?? []),
        ],

  shows: ({ use, site, facts, options }) =>
    facts.configuration
      ? [...use.configurationDifference(facts.configuration), '']
      : [
          ...use.differenceOf(facts.now, facts.bundle),
          use.preflightLine(site, facts, options),
          ...use.downgrades(facts.now, facts.images).map(line => `! ${line} is lower: rollback.ts goes back in seconds`),
          ...use.unseenImages(facts.images).map(line => `! ${line}`),
          ...use.sickNow(site, facts.now).map(line => `! now: ${line}`),
          '',
        ],

  holds: ({ facts, site }) => (!facts.configuration && (facts.data || site.deploy.migrate) ? ['data'] : []),

  plan: ({ use, site, facts, options, run }) => {
    const overrides = [
      options.overrideFreeze ? 'override-freeze' : '',
      options.skipTests ? 'skip-tests' : '',
      options.skipBackup ? 'skip-backup' : '',
    ]
    const overridden = overrides.filter(name => name !== '')
    if (facts.configuration)
      return use.configurePlan({
        site,
        facts: facts.configuration,
        run,
        record: { how: 'configure', approvedBy: options.approvedBy ?? null, overrides: overridden },
      })
    return use.releasePlan({
      site,
      facts: facts.now,
      bundle: facts.bundle,
      run,
      migrates: site.deploy.migrate !== undefined,
      before: facts.data
        ? [use.saveThePresent({ site, parts: facts.data.parts, points: facts.data.points, run: run.id, label: use.beforeDeploy(facts.bundle) })]
        : [],
      record: {
        how: 'deploy',
        approvedBy: options.approvedBy ?? null,
        backup: facts.data ? use.pointOf(site, run.id).id : null,
        overrides: overridden,
      },
    })
  },

  unchanged: ({ use, facts, results }) => (facts.configuration ? use.stillConfigured(facts.configuration) : use.stillServes(facts.now, results)),

  ends: ({ use, site, facts, results, run }) => {
    if (facts.configuration) return use.configuredEnd(site, facts.configuration, run.began, 'CONFIGURED')
    const door = results.get('front-door/the front door')
    const { bundle, previous, before } = use.madeBy(facts.now, run.id, facts.bundle)
    return {
      word: 'DEPLOYED',
      says: [`${use.versionsOf(bundle.services)} serves 100 %`, use.doorSays(door), before ? `${before} is ready to come back` : '']
        .filter(Boolean)
        .join('; '),
      result: {
        release: bundle.release,
        slot: bundle.slot,
        versions: Object.fromEntries(Object.entries(bundle.services).map(([name, { version }]) => [name, version])),
        previous,
        backup: facts.data ? use.pointOf(site, run.id).id : null,
        door: use.doorFigures(door),
      },
      next: before ? [`npx zx runbooks/rollback.ts --stack=${site.stack} --environment=${site.environment}`] : [],
    }
  },
})
