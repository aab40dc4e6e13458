import type { Copied } from '../lib/backups/point.ts'
import { parts } from '../lib/run/data-options.ts'
import { flag, text } from '../lib/run/options.ts'
import { runbook } from '../lib/run/runbook.ts'

export default runbook(import.meta, {
  name: 'backup',
  does: 'Copies every part of a stack into its store, reads each copy back, and only then calls it a backup.',
  lease: 'data',
  unfinished: 'revert',

  options: {
    part: parts('only these parts of the stack'),
    label: text({ help: 'a word to find it by, such as before-migration' }),
    pin: flag({ help: 'never prune it' }),
  },

  uses: () => import('../lib/run/words.ts'),

  async inspect({ use, site, options, run, doing }) {
    const look = await use.lookAt(site, doing, options.part)
    return { ...look, gaps: use.worthCopying(site, look.points, await use.gapsOf(site, look.points), run.began.getTime()) }
  },

  require: ({ use, facts }) => [
    ...facts.parts.flatMap(part => [...use.hasTools(part), use.answering(part), use.notEmpty(part)]),
    // Only the first store must be fit: a further one that is down must not keep the backup from being made.
    ...facts.stores.slice(0, 1).flatMap(store => [...use.writable(store), use.hasRoom(store, facts.parts, facts.points)]),
  ],

  plan: ({ use, site, facts, options, run }) => [
    ...use.backUp({ site, parts: facts.parts, points: facts.points, run: run.id, label: options.label, pinned: options.pin }),
    ...use.copyAround(site, run.id, facts.gaps),
    use.clearDeadUploads(site),
    ...use.letGoOfOld(site, use.pointOf(site, run.id).id),
  ],

  unchanged: ({ facts }) => `no new backup; the newest is ${facts.points.findLast(point => point.manifest)?.id ?? 'none at all'}`,

  ends: ({ use, site, facts, results, run }) => {
    const copies = facts.parts.flatMap(part => (results.get(`read-back/${part.name}`) as unknown as Copied | null) ?? [])
    const point = use.pointOf(site, run.id)
    const stored = copies.reduce((sum, copied) => sum + copied.stored.bytes, 0)
    const items = copies.reduce((sum, copied) => sum + use.itemsIn(copied.content), 0)
    const holding = use.storesWith(site, point.id, results)
    const all = holding.length === site.stores.size
    const where = site.stores.size > 1 ? ` in ${holding.length} of ${site.stores.size} stores` : ''
    return {
      ...(all || site.policy === 'any'
        ? {}
        : {
            exit: 7 as const,
            word: 'PARTLY',
            why: `it is not in ${[...site.stores.keys()].filter(name => !holding.includes(name)).join(', ')}; the next backup tries again`,
          }),
      says: `backup ${point.id}, ${use.count(items)} items in ${use.size(stored)}${where}, read back and equal`,
      tells: use.shrunk(facts.parts, facts.points).length > 0 ? ['shrunk' as const] : [],
      warnings: [...use.shrunk(facts.parts, facts.points), ...copies.flatMap(copied => copied.content.warnings), ...use.oldWarnings(results)],
      result: {
        backup: point.id,
        store: site.stores.get(point.store)?.where ?? point.store,
        folder: point.folder,
        stores: holding,
        storedBytes: stored,
        items,
      },
      next: [`npx zx runbooks/restore-drill.ts --stack=${site.stack} --environment=${site.environment} --backup=latest`],
    }
  },
})
