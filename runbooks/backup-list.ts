import { store } from '../lib/run/data-options.ts'
import { runbook } from '../lib/run/runbook.ts'

export default runbook(import.meta, {
  name: 'backup-list',
  does: 'Lists the backups of a stack: when, how old, how big, and what is proven of each.',
  lease: 'none',
  check: true,
  unfinished: 'ask',
  options: { store: store() },

  uses: () => import('../lib/run/words.ts'),

  inspect: ({ use, site, doing }) => use.catalogue(use.firstStore(site), use.folderOf(site), doing),

  ends: ({ use, site, facts }) => {
    const sound = facts.points.filter(point => point.status !== 'CORRUPT' && point.status !== 'INCOMPLETE')
    const corrupt = facts.points.filter(point => point.status === 'CORRUPT')
    const old = use.stale(facts.points, site.dataLossMs)
    return {
      exit: corrupt.length > 0 ? 7 : 0,
      says: `${sound.length} ${sound.length === 1 ? 'backup' : 'backups'} at ${use.firstStore(site).where}`,
      ...(corrupt.length > 0 ? { why: corrupt.map(point => `${point.id}: ${point.because}`).join('\n') } : {}),
      warnings: [...(old ? [old] : []), ...facts.strays.map(path => `${path} belongs to no backup`)],
      summary: use.listLines(facts.points, site.timezone),
      result: use.listResult(facts.points),
    }
  },
})
