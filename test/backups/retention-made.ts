import type { Point, Status } from '../../lib/backups/catalogue.ts'
import type { Manifest } from '../../lib/backups/manifest.ts'

/** The id of a point that begins at a moment (milliseconds). */
export const idAt = (ms: number, mark = 'r000000') => `${new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z-${mark}`

/** A point as a catalogue would show it. `items` is what its only kind of item counts. */
export function pointAt(
  ms: number,
  more: {
    status?: Status
    pinned?: boolean | null
    mark?: string
    parts?: readonly string[]
    items?: number
    bytes?: number
    files?: readonly string[]
    touched?: number
  } = {},
): Point {
  const { status = 'VERIFIED', mark, parts = ['database'], items = 100, bytes = 1000 } = more
  const id = idAt(ms, mark)
  const part = {
    content: { items: { rows: { count: items, digest: '' } }, warnings: [] },
    plain: { bytes, sha256: '' },
    stored: { bytes, sha256: '' },
  }
  const manifest = { id, begun: new Date(ms).toISOString(), pinned: false, parts: Object.fromEntries(parts.map(name => [name, part])) }
  const readable = status !== 'INCOMPLETE' && status !== 'UNREADABLE' && more.pinned !== null
  const proofs = status === 'CERTIFIED' ? ['proof-20261101T000000Z-drill-good-abcdef.json'] : []
  const objects = ['manifest.json', ...proofs, ...(more.files ?? [])].map(name => ({
    path: `shop/local/${id}/${name}`,
    bytes: 10,
    modified: new Date(more.touched ?? ms).toISOString(),
  }))
  return {
    id,
    status,
    manifest: readable ? (manifest as unknown as Manifest) : null,
    objects: status === 'INCOMPLETE' ? objects.slice(1) : objects,
    pinned: more.pinned === undefined ? (status === 'UNREADABLE' ? null : false) : more.pinned,
  }
}
