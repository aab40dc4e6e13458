import { flag, text } from '../lib/run/options.ts'
import { runbook } from '../lib/run/runbook.ts'

export default runbook(import.meta, {
  name: 'backup-pin',
  does: 'Pins a backup, so that nothing ever prunes it, or lets it go again.',
  lease: 'data',
  unfinished: 'revert',

  options: {
    backup: text({
      ask: 'Which backup?',
      help: 'id, or its beginning',
      shows: 'id',
      needed: true,
      choices: at => import('../lib/run/words.ts').then(words => words.pinChoices(at)),
    }),
    unpin: flag({ help: 'let it be pruned again' }),
  },

  uses: () => import('../lib/run/words.ts'),

  async inspect({ use, site, options, doing }) {
    const { points } = await use.catalogue(use.firstStore(site), use.folderOf(site), doing)
    const point = use.thePoint(points, options.backup as string)
    return { point, stores: await use.standsIn(site, point.id) }
  },

  shows: ({ use, site, facts }) => [use.pointName(facts.point, site.timezone), ''],

  plan: ({ use, site, facts, options, run }) => use.pinPlan(site, facts.point, facts.stores.holding, run.id, !options.unpin),

  unchanged: ({ facts }) => `${facts.point.id} is as it was`,

  ends: ({ facts, options }) => {
    const { point, stores } = facts
    const where = stores.holding.length > 1 ? ` in ${stores.holding.join(', ')}` : ''
    return {
      word: options.unpin ? 'UNPINNED' : 'PINNED',
      says: options.unpin ? `${point.id} goes when the policy says so${where}` : `${point.id} is never pruned${where}`,
      warnings: stores.failed.map(({ store, because }) => `${store} could not be looked at; run this again when it can: ${because}`),
      result: { backup: point.id, pinned: !options.unpin, stores: stores.holding },
    }
  },
})
