import { catalogue } from '../lib/backups/catalogue.ts'
import { listLines, listResult, stale } from '../lib/backups/listing.ts'
import { firstStore, folderOf } from '../lib/backups/site.ts'
import { store } from '../lib/run/data-options.ts'
import { runbook } from '../lib/run/runbook.ts'

export default runbook(import.meta, {
  name: 'backup-list',
  does: 'Lists the backups of a stack: when, how old, how big, and what is proven of each.',
  lease: 'none',
  check: true,
  unfinished: 'ask',
  options: { store: store() },

  inspect: ({ site, doing }) => catalogue(firstStore(site), folderOf(site), doing),

  ends: ({ site, facts }) => {
    const sound = facts.points.filter(point => point.status !== 'CORRUPT' && point.status !== 'INCOMPLETE')
    const corrupt = facts.points.filter(point => point.status === 'CORRUPT')
    const old = stale(facts.points, site.dataLossMs)
    return {
      exit: corrupt.length > 0 ? 7 : 0,
      says: `${sound.length} ${sound.length === 1 ? 'backup' : 'backups'} at ${firstStore(site).where}`,
      ...(corrupt.length > 0 ? { why: corrupt.map(point => `${point.id}: ${point.because}`).join('\n') } : {}),
      warnings: [...(old ? [old] : []), ...facts.strays.map(path => `${path} belongs to no backup`)],
      summary: listLines(facts.points, site.timezone),
      result: listResult(facts.points),
    }
  },
})
