import { backUp, clearDeadUploads, pointOf } from '../lib/backups/back-up.ts'
import { answering, hasRoom, hasTools, lookAt, notEmpty, shrunk, writable } from '../lib/backups/facts.ts'
import { type Copied, itemsIn } from '../lib/backups/point.ts'
import { count, size } from '../lib/plan/durations.ts'
import { flag, many, text } from '../lib/run/options.ts'
import { runbook } from '../lib/run/runbook.ts'

export default runbook(import.meta, {
  name: 'backup',
  does: 'Copies every part of a stack into its store, reads each copy back, and only then calls it a backup.',
  lease: 'data',
  unfinished: 'revert',

  options: {
    part: many({
      ask: 'Which parts?',
      help: 'only these parts of the stack',
      choices: ({ site }: { site: { parts: Map<string, unknown> } }) => [...site.parts.keys()].map(value => ({ value })),
    }),
    label: text({ help: 'a word to find it by, such as before-migration' }),
    pin: flag({ help: 'never prune it' }),
  },

  inspect: ({ site, options, doing }) => lookAt(site, doing, options.part),

  require: ({ facts }) => [
    ...facts.parts.flatMap(part => [...hasTools(part), answering(part), notEmpty(part)]),
    ...facts.stores.flatMap(store => [...writable(store), hasRoom(store, facts.parts, facts.points)]),
  ],

  plan: ({ site, facts, options, run }) => [
    ...backUp({ site, parts: facts.parts, points: facts.points, run: run.id, label: options.label, pinned: options.pin }),
    clearDeadUploads(site),
  ],

  unchanged: ({ facts }) => `no new backup; the newest is ${facts.points.findLast(point => point.manifest)?.id ?? 'none at all'}`,

  ends: ({ site, facts, results, run }) => {
    const copies = facts.parts.flatMap(part => (results.get(`read-back/${part.name}`) as unknown as Copied | null) ?? [])
    const point = pointOf(site, run.id)
    const stored = copies.reduce((sum, copied) => sum + copied.stored.bytes, 0)
    const items = copies.reduce((sum, copied) => sum + itemsIn(copied.content), 0)
    return {
      says: `backup ${point.id}, ${count(items)} items in ${size(stored)}, read back and equal`,
      warnings: [...shrunk(facts.parts, facts.points), ...copies.flatMap(copied => copied.content.warnings)],
      result: { backup: point.id, store: site.stores.get(point.store)?.where ?? point.store, folder: point.folder, storedBytes: stored, items },
      next: [`npx zx runbooks/restore-drill.ts --stack=${site.stack} --environment=${site.environment} --backup=latest`],
    }
  },
})
