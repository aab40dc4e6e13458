import { store } from '../lib/run/data-options.ts'
import { flag, text } from '../lib/run/options.ts'
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
    sample: flag({ help: 'read some frames of each part only; finds damage, and makes no backup VERIFIED' }),
    percent: text({ help: 'how many of 100 frames a sample reads, at least 8 of a part (5)', shows: 'number' }),
    seed: text({ help: 'choose the frames that an earlier sample chose', shows: 'text' }),
    store: store(),
  },

  uses: () => import('../lib/run/words.ts'),

  async inspect({ use, site, options, run, doing }) {
    const sampling = use.samplingOf(options, run.id.slice(-6))
    const { points } = await use.lookAt(site, doing)
    const known = points.filter(point => point.manifest !== null)
    const broken = points.filter(point => point.manifest === null && point.status !== 'INCOMPLETE')
    if (options.backup === 'all') return { chosen: known, broken, sampling }
    const wanted =
      options.backup === undefined || options.backup === 'latest'
        ? known.slice(-1)
        : known.filter(point => point.id.startsWith(options.backup as string))
    // What has no readable manifest is refused with the reason, in the words of every other runbook.
    return {
      chosen: wanted.length === 1 || points.length === 0 ? wanted : [use.choose(points, { backup: options.backup }, site.timezone)],
      broken: [],
      sampling,
    }
  },

  require: ({ facts, site }) => [
    {
      title: 'there is a backup',
      holds: facts.chosen.length + facts.broken.length > 0,
      because: `${site.stack}/${site.environment} has no backup to verify`,
      mend: `npx zx runbooks/backup.ts --stack=${site.stack} --environment=${site.environment}`,
    },
    {
      title: 'a sample can be checked',
      holds: !facts.sampling || site.identities.length > 0 || facts.chosen.every(point => !point.manifest?.encryption),
      because:
        'nothing of an encrypted backup can be sampled without an identity: what is recorded of its stored bytes is one SHA-256 over all of them',
      mend: 'add --identity=<file>, or leave --sample away: a whole reading needs no identity',
    },
  ],

  plan: ({ use, site, facts, run }) => use.verifyPoints(site, facts.chosen, run.id, facts.sampling),

  unchanged: () => 'nothing was found out',

  ends: ({ use, facts, results }) => {
    const verdicts = [
      ...use.verdictsOf(facts.chosen, results),
      ...facts.broken.map(point => ({ id: point.id, findings: [point.because ?? 'damaged'] })),
    ]
    const bad = verdicts.filter(verdict => verdict.findings.length > 0)
    const result = verdicts.map(({ id, findings }) => ({ backup: id, good: findings.length === 0, findings }))
    const sampled = facts.sampling ? use.sampleSays(facts.chosen, results) : undefined
    if (bad.length === 0 && sampled)
      return {
        says: `${use.count(sampled.frames)} of ${use.plural(sampled.of, 'frame')} of ${use.plural(verdicts.length, 'backup')} are as written, seed ${facts.sampling?.seed}`,
        word: 'SAMPLED',
        summary: [`What it proves: ${sampled.proves}.`],
        result: { sampled: true, seed: facts.sampling?.seed ?? '', frames: sampled.frames, of: sampled.of, backups: result },
      }
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
