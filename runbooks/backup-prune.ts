import type { Pruned } from '../lib/backups/prune.ts'
import { typed } from '../lib/run/options.ts'
import { runbook } from '../lib/run/runbook.ts'
import { retentionTable } from '../lib/run/show/retention.ts'
import { widthOf } from '../lib/run/show/style.ts'

export default runbook(import.meta, {
  name: 'backup-prune',
  does: 'Lets go of the backups that the stack file does not keep, and says for each one why it stays or goes.',
  lease: 'data',
  // There is nothing to take back: what a dead run left is found by the next one.
  unfinished: 'revert',

  options: {
    shrunk: typed('SHRUNK', { help: 'go on although the newest backup is less than half of what is usual' }),
  },

  uses: () => import('../lib/run/words.ts'),

  async inspect({ use, site, run, doing }) {
    return { keep: site.keep, agings: site.keep ? await use.agingOf(site, site.keep, { nowMs: run.began.getTime() }, doing) : [] }
  },

  require: ({ use, site, facts, options }) => {
    const [first] = facts.agings
    const shrunk = facts.agings.flatMap(aging => (aging.decisions.every(({ keep }) => keep) ? [] : aging.shrunk))
    return [
      {
        title: 'the stack file says what is kept',
        holds: facts.keep !== undefined,
        because: `The stack file of ${site.stack} does not say which backups are kept`,
        mend: 'add to it, for example: backups: { keep: { daily: 7, weekly: 4, monthly: 12 } }',
      },
      {
        title: 'the backups can be listed',
        holds: first?.failed === undefined,
        because: `The backups at ${first?.where} cannot be listed: ${first?.failed}`,
      },
      ...facts.agings.map(({ store, where, doubts }) => ({
        title: `${store}: the listing and the clock can be trusted`,
        holds: doubts.length === 0,
        because: `Nothing is let go of at ${where}/${use.folderOf(site)}: ${doubts.join('; ')}`,
        mend: `look at ${where}/${use.folderOf(site)}, and mend or move away what does not belong there`,
      })),
      {
        title: 'the newest backup is of the usual size',
        holds: shrunk.length === 0 || options.shrunk,
        because: [...new Set(shrunk)].join('\n'),
        mend: 'look whether data was lost; if it is meant to be so small, add --shrunk=SHRUNK',
      },
    ]
  },

  shows: ({ use, site, facts, run }) => [
    `Kept is ${use.keepInWords(facts.keep ?? {})}; times are ${site.timezone}.`,
    '',
    ...retentionTable(facts.agings, run.began.getTime(), widthOf(process.stderr)),
  ],

  plan: ({ use, site, facts }) => use.prunePlan(site, facts.agings),

  unchanged: () => 'what was not let go of yet stands as it was',

  ends: ({ use, site, facts, results }) => {
    const steps = facts.agings.flatMap(aging => use.removals(site, aging))
    const gave = steps.map(args => ({ ...args, ...(results.get(`prune/${args.id} in ${args.store}`) as Pruned | null) }))
    const gone = gave.filter(({ left, refused }) => left === 0 && refused === null)
    const bytes = gone.reduce((sum, { bytes = 0 }) => sum + bytes, 0)
    const failed = facts.agings.filter(aging => aging.failed !== undefined)
    const kept = facts.agings.flatMap(aging => aging.decisions).filter(({ keep }) => keep)
    return {
      ...(failed.length > 0 ? { exit: 7 as const, word: 'PARTLY', why: failed.map(({ store, failed }) => `${store}: ${failed}`).join('\n') } : {}),
      says: `${use.plural(gone.length, 'backup')} let go of, ${use.size(bytes)}; ${kept.length} kept at ${use.firstStore(site).where}${site.stores.size > 1 ? ' and other stores' : ''}`,
      warnings: gave.flatMap(({ id, store, refused }) => (refused ? [`${id} stays in ${store}: ${refused}`] : [])),
      result: {
        removed: gone.map(({ id, store, bytes = 0 }) => ({ backup: id, store, bytes })),
        refused: gave.flatMap(({ id, store, refused }) => (refused ? [{ backup: id, store, because: refused }] : [])),
        stores: use.decisionsResult(facts.agings),
        kept: kept.reduce((sum, { point }) => sum + use.bytesOf(point), 0),
      },
    }
  },
})
