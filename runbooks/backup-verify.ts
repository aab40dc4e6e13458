import { store } from '../lib/run/data-options.ts'
import { text } from '../lib/run/options.ts'
import { runbook } from '../lib/run/runbook.ts'

export default runbook(import.meta, {
  name: 'backup-verify',
  does: 'Reads backups whole, compares every byte with what was recorded, and writes down what it found.',
  lease: 'proof',
  check: true,
  unfinished: 'revert',

  options: {
    backup: text({ help: 'id, latest or all', shows: 'id|latest|all' }),
    identity: text({ help: 'age identity file, to look into encrypted parts, too', shows: 'file' }),
    store: store(),
  },

  uses: () => import('../lib/run/words.ts'),

  async inspect({ use, site, options, doing }) {
    const { points } = await use.lookAt(site, doing)
    const known = points.filter(point => point.manifest !== null)
    const broken = points.filter(point => point.manifest === null && point.status !== 'INCOMPLETE')
    if (options.backup === 'all') return { chosen: known, broken }
    const wanted =
      options.backup === undefined || options.backup === 'latest'
        ? known.slice(-1)
        : known.filter(point => point.id.startsWith(options.backup as string))
    // What has no readable manifest is refused with the reason, in the words of every other runbook.
    return {
      chosen: wanted.length === 1 || points.length === 0 ? wanted : [use.choose(points, { backup: options.backup }, site.timezone)],
      broken: [],
    }
  },

  require: ({ facts, site }) => [
    {
      title: 'there is a backup',
      holds: facts.chosen.length + facts.broken.length > 0,
      because: `${site.stack}/${site.environment} has no backup to verify`,
      mend: `npx zx runbooks/backup.ts --stack=${site.stack} --environment=${site.environment}`,
    },
  ],

  plan: ({ use, site, facts, run }) => use.verifyPoints(site, facts.chosen, run.id),

  unchanged: () => 'nothing was found out',

  ends: ({ use, facts, results }) => {
    const verdicts = [
      ...use.verdictsOf(facts.chosen, results),
      ...facts.broken.map(point => ({ id: point.id, findings: [point.because ?? 'damaged'] })),
    ]
    const bad = verdicts.filter(verdict => verdict.findings.length > 0)
    const result = verdicts.map(({ id, findings }) => ({ backup: id, good: findings.length === 0, findings }))
    if (bad.length === 0)
      return {
        says: `${verdicts.length} ${verdicts.length === 1 ? 'backup is' : 'backups are'} as recorded, every byte read`,
        word: 'VERIFIED',
        result,
      }
    return {
      exit: 7,
      word: 'CORRUPT',
      says: bad.map(({ id }) => id).join(', '),
      why: bad.flatMap(({ id, findings }) => findings.map(finding => `${id}: ${finding}`)).join('\n'),
      result,
    }
  },
})
