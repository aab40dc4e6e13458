import { choose, pointChoices } from '../lib/backups/choose.ts'
import { drillPlan } from '../lib/backups/drill.ts'
import { hasTools, lookAt } from '../lib/backups/facts.ts'
import { pointPhrase } from '../lib/backups/listing.ts'
import { decryptable } from '../lib/backups/restore-facts.ts'
import { spent } from '../lib/plan/durations.ts'
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
      choices: pointChoices,
    }),
    identity: identity(),
    store: store(),
  },

  async inspect({ site, options, doing }) {
    const look = await lookAt(site, doing)
    return { ...look, point: choose(look.points, { backup: options.backup }, site.timezone) }
  },

  require: ({ facts, site }) => [
    ...facts.parts.filter(part => part.name in (facts.point.manifest?.parts ?? {})).flatMap(part => hasTools(part)),
    decryptable(site, facts.point),
  ],

  shows: ({ facts, site }) => [`Drill of ${pointPhrase(facts.point, site.timezone)}. Live data is not touched.`, ''],

  plan: ({ site, facts, run }) => drillPlan(site, facts.point, run),

  settled: ({ facts }) => ({ backup: facts.point.id }),

  unchanged: () => 'live data was not touched; nothing was certified',

  ends: ({ facts, results, site }) => {
    const stamp = results.get(`stamp/${facts.point.id}`) as { good?: boolean; tookMs?: number; findings?: readonly string[] } | null
    const result = { backup: facts.point.id, good: stamp?.good ?? false, recoveryMs: stamp?.tookMs ?? null, findings: stamp?.findings ?? [] }
    if (stamp?.good)
      return {
        word: 'CERTIFIED',
        says: `${facts.point.id}, restored and equal in ${spent(stamp.tookMs ?? 0)}`,
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
