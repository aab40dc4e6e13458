import { randomUUID } from 'node:crypto'
import { link, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { TEMPORARY } from '../paths.ts'
import { StoreError, type StoreFacts } from '../store.ts'
import { codeOf, faultOf, unless } from './faults.ts'
import { ensureRoot, freeBytes, mendMissing, quoted } from './folders.ts'

/** Looks at the folder by really writing into it and linking twice; says what it met instead of throwing. */
export async function facts(name: string, root: string): Promise<StoreFacts> {
  const known = { name, where: root, freeBytes: null, skewMs: null, conditional: false }
  try {
    await ensureRoot(root)
    const free = await freeBytes(root)
    try {
      const tried = await tryWriting(root)
      if (!tried.links)
        return {
          ...known,
          ...tried,
          freeBytes: free,
          state: 'writable',
          because: 'its filesystem knows no hard links',
          mend: 'choose a folder on another filesystem',
        }
      return { ...known, freeBytes: free, state: 'writable', skewMs: tried.skewMs, conditional: true }
    } catch (error) {
      return { ...known, freeBytes: free, ...unwritable(error, root) }
    }
  } catch (error) {
    return { ...known, ...unwritable(error, root) }
  }
}

async function tryWriting(root: string): Promise<{ links: boolean; skewMs: number }> {
  const probe = join(root, `${TEMPORARY}${randomUUID()}`)
  const handle = await open(probe, 'wx', 0o600)
  try {
    await handle.writeFile('probe')
    await handle.datasync()
    const skewMs = Math.round(Date.now() - (await handle.stat()).mtimeMs)
    const linked = await unless(
      ['EPERM', 'ENOTSUP', 'ENOSYS'],
      link(probe, `${probe}-2`).then(() => true),
    )
    const second = linked && (await link(probe, `${probe}-2`).catch(codeOf))
    return { links: second === 'EEXIST', skewMs }
  } finally {
    await handle.close()
    for (const file of [probe, `${probe}-2`]) await unless(['ENOENT'], unlink(file))
  }
}

function unwritable(error: unknown, root: string): Pick<StoreFacts, 'state' | 'because' | 'mend'> {
  const met = faultOf(error, root)
  if (!(met instanceof StoreError)) throw error
  const because = met.message
  if (met.fault === 'missing') return { state: 'missing', because, mend: mendMissing(root) }
  if (met.fault === 'read-only') return { state: 'read-only', because, mend: `mount -o remount,rw "$(findmnt -n -o TARGET -T ${quoted(root)})"` }
  if (met.fault === 'full') return { state: 'read-only', because, mend: `make room: df -h ${quoted(root)}` }
  if (met.fault === 'denied') return { state: 'denied', because, mend: `ls -ld ${quoted(root)}   # and run as its owner` }
  return { state: 'unreachable', because }
}
