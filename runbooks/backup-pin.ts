import { catalogue } from '../lib/backups/catalogue.ts'
import { pointName } from '../lib/backups/listing.ts'
import { pinChoices, pinPlan, standsIn, thePoint } from '../lib/backups/pinning.ts'
import { firstStore, folderOf } from '../lib/backups/site.ts'
import { flag, text } from '../lib/run/options.ts'
import { runbook } from '../lib/run/runbook.ts'

export default runbook(import.meta, {
  name: 'backup-pin',
  does: 'Pins a backup, so that nothing ever prunes it, or lets it go again.',
  lease: 'data',
  unfinished: 'revert',

  options: {
    backup: text({ ask: 'Which backup?', help: 'id, or its beginning', shows: 'id', needed: true, choices: pinChoices }),
    unpin: flag({ help: 'let it be pruned again' }),
  },

  async inspect({ site, options, doing }) {
    const { points } = await catalogue(firstStore(site), folderOf(site), doing)
    const point = thePoint(points, options.backup as string)
    return { point, stores: await standsIn(site, point.id) }
  },

  shows: ({ site, facts }) => [pointName(facts.point, site.timezone), ''],

  plan: ({ site, facts, options, run }) => pinPlan(site, facts.point, facts.stores.holding, run.id, !options.unpin),

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
