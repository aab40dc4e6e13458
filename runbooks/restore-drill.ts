import { identity, store } from '../lib/run/data-options.ts'
import { text } from '../lib/run/options.ts'
import { runbook } from '../lib/run/runbook.ts'

export default runbook(import.meta, {
  name: 'restore-drill',
  does: 'Restores a backup into a throw-away place, compares it with its manifest, and certifies it with the time that took.',
  lease: 'proof',
  check: true,
  unfinished: 'revert',

  options: {
    backup: text({
      ask: 'Which backup?',
      help: 'id or latest',
      shows: 'id|latest',
      choices: at => import('../lib/run/words.ts').then(words => words.pointChoices(at)),
    }),
    identity: identity(),
    store: store(),
  },

  uses: () => import('../lib/run/words.ts'),

  async inspect({ use, site, options, doing }) {
    const look = await use.lookAt(site, doing)
    return { ...look, point: use.choose(look.points, { backup: options.backup }, site.timezone) }
  },

  require: ({ use, facts, site }) => [
    ...facts.parts.filter(part => part.name in (facts.point.manifest?.parts ?? {})).flatMap(part => use.hasTools(part)),
    use.decryptable(site, facts.point),
  ],

  shows: ({ use, facts, site }) => [`Drill of ${use.pointPhrase(facts.point, site.timezone)}. Live data is not touched.`, ''],

  plan: ({ use, site, facts, run }) => use.drillPlan(site, facts.point, run),

  settled: ({ facts }) => ({ backup: facts.point.id }),

  // The list goes on calling it sound until a verification has written the damage down.
  damaged: ({ site, facts }) => [
    `npx zx runbooks/backup-verify.ts --stack=${site.stack} --environment=${site.environment} --backup=${facts.point.id}`,
  ],

  unchanged: () => 'live data was not touched; nothing was certified',

  ends: ({ use, facts, results, site }) => {
    const stamp = results.get(`stamp/${facts.point.id}`) as { good?: boolean; tookMs?: number; findings?: readonly string[] } | null
    const result = { backup: facts.point.id, good: stamp?.good ?? false, recoveryMs: stamp?.tookMs ?? null, findings: stamp?.findings ?? [] }
    if (stamp?.good)
      return {
        word: 'CERTIFIED',
        says: `${facts.point.id}, restored and equal in ${use.spent(stamp.tookMs ?? 0)}`,
        result,
        next: [`npx zx runbooks/backup-list.ts --stack=${site.stack} --environment=${site.environment}`],
      }
    return {
      exit: 7,
      word: 'CORRUPT',
      says: `${facts.point.id} does not restore to what was backed up`,
      why: (stamp?.findings ?? ['nothing was found out']).join('\n'),
      result,
    }
  },
})
