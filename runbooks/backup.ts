import { backUp, clearDeadUploads, pointOf } from '../lib/backups/back-up.ts'
import { answering, hasRoom, hasTools, lookAt, notEmpty, shrunk, writable } from '../lib/backups/facts.ts'
import { type Copied, itemsIn } from '../lib/backups/point.ts'
import { letGoOfOld, oldWarnings, worthCopying } from '../lib/backups/prune.ts'
import { copyAround, gapsOf, storesWith } from '../lib/backups/stores.ts'
import { count, size } from '../lib/plan/durations.ts'
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

  async inspect({ site, options, run, doing }) {
    const look = await lookAt(site, doing, options.part)
    return { ...look, gaps: worthCopying(site, look.points, await gapsOf(site, look.points), run.began.getTime()) }
  },

  require: ({ facts }) => [
    ...facts.parts.flatMap(part => [...hasTools(part), answering(part), notEmpty(part)]),
    // Only the first store must be fit: a further one that is down must not keep the backup from being made.
    ...facts.stores.slice(0, 1).flatMap(store => [...writable(store), hasRoom(store, facts.parts, facts.points)]),
  ],

  plan: ({ site, facts, options, run }) => [
    ...backUp({ site, parts: facts.parts, points: facts.points, run: run.id, label: options.label, pinned: options.pin }),
    ...copyAround(site, run.id, facts.gaps),
    clearDeadUploads(site),
    ...letGoOfOld(site, pointOf(site, run.id).id),
  ],

  unchanged: ({ facts }) => `no new backup; the newest is ${facts.points.findLast(point => point.manifest)?.id ?? 'none at all'}`,

  ends: ({ site, facts, results, run }) => {
    const copies = facts.parts.flatMap(part => (results.get(`read-back/${part.name}`) as unknown as Copied | null) ?? [])
    const point = pointOf(site, run.id)
    const stored = copies.reduce((sum, copied) => sum + copied.stored.bytes, 0)
    const items = copies.reduce((sum, copied) => sum + itemsIn(copied.content), 0)
    const holding = storesWith(site, point.id, results)
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
      says: `backup ${point.id}, ${count(items)} items in ${size(stored)}${where}, read back and equal`,
      tells: shrunk(facts.parts, facts.points).length > 0 ? ['shrunk' as const] : [],
      warnings: [...shrunk(facts.parts, facts.points), ...copies.flatMap(copied => copied.content.warnings), ...oldWarnings(results)],
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
