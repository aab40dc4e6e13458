import { Trouble } from '../plan/outcome.ts'
import type { Doing } from '../plan/plan.ts'
import { pooled } from '../plan/pool.ts'
import { type Listed, type Store, StoreError, text } from '../stores/store.ts'
import { type Manifest, readManifest } from './manifest.ts'
import { lastPin } from './pins.ts'
import { readProof, readProofName } from './proofs.ts'

/** What is known of a backup. INCOMPLETE has no manifest, so it is none; UNREADABLE was written by a newer version. */
export type Status = 'CERTIFIED' | 'VERIFIED' | 'UNVERIFIED' | 'CORRUPT' | 'INCOMPLETE' | 'UNREADABLE'

/** A recovery point as the catalogue shows it. */
export type Point = {
  readonly id: string
  readonly status: Status
  readonly because?: string
  readonly manifest: Manifest | null
  readonly objects: readonly Listed[]
  /** Never pruned; null where neither a record nor a readable manifest tells. */
  readonly pinned: boolean | null
  /** Measured by the newest good drill, in milliseconds. */
  readonly recoveryMs?: number
}

/** Points read at once; more does not help a store and costs it. */
const READERS = 16

const WHICH = { verify: 'verification', sample: 'sample', drill: 'drill' } as const

/** Names of the folders that are recovery points: begun-time and the run's mark. */
const POINT_ID = /^\d{8}T\d{6}Z-[a-z0-9]+$/

function status(manifest: Manifest, objects: readonly Listed[], folder: string): { status: Status; because?: string } {
  const sizes = new Map(objects.map(object => [object.path.slice(folder.length + 1), object.bytes]))
  for (const [name, part] of Object.entries(manifest.parts)) {
    for (const [file, bytes] of [
      [part.object, part.stored.bytes],
      [part.frames, part.index.bytes],
    ] as const) {
      const found = sizes.get(file)
      if (found === undefined) return { status: 'CORRUPT', because: `${name}: ${file} is missing` }
      if (found !== bytes) return { status: 'CORRUPT', because: `${name}: ${file} has ${found} of ${bytes} bytes` }
    }
  }
  const proofs = [...sizes.keys()]
    .flatMap(file => readProofName(file) ?? [])
    // What a good sample did not read may be damaged, so it makes nothing better.
    .filter(proof => proof.kind !== 'sample' || !proof.good)
    .sort((a, b) => (a.time < b.time ? -1 : 1))
  const last = proofs.at(-1)
  if (last && !last.good) return { status: 'CORRUPT', because: `the ${WHICH[last.kind]} of ${last.time} found damage` }
  if (proofs.some(proof => proof.kind === 'drill' && proof.good)) return { status: 'CERTIFIED' }
  const readBack = Object.values(manifest.parts).every(part => part.readBack) || proofs.some(proof => proof.good)
  return { status: readBack ? 'VERIFIED' : 'UNVERIFIED' }
}

async function recoveryTime(store: Store, objects: readonly Listed[], doing: Doing): Promise<number | undefined> {
  const drills = objects.filter(object => {
    const proof = readProofName(object.path.slice(object.path.lastIndexOf('/') + 1))
    return proof?.kind === 'drill' && proof.good
  })
  const newest = drills.at(-1)
  return newest ? readProof(await text(store, newest.path, doing), newest.path).tookMs : undefined
}

async function readPoint(store: Store, folder: string, id: string, objects: readonly Listed[], doing: Doing): Promise<Point> {
  const path = `${folder}/manifest.json`
  const record = lastPin(objects.map(object => object.path.slice(folder.length + 1)))
  if (!objects.some(object => object.path === path))
    return { id, status: 'INCOMPLETE', because: 'no manifest, so it is no backup', manifest: null, objects, pinned: record?.pinned ?? false }
  try {
    const manifest = readManifest(await text(store, path, doing), id)
    const recoveryMs = await recoveryTime(store, objects, doing)
    const pinned = record?.pinned ?? manifest.pinned
    return { id, ...status(manifest, objects, folder), manifest, objects, pinned, ...(recoveryMs === undefined ? {} : { recoveryMs }) }
  } catch (error) {
    if (error instanceof StoreError && error.fault === 'missing')
      return { id, status: 'INCOMPLETE', because: 'removed while it was listed', manifest: null, objects, pinned: record?.pinned ?? false }
    if (!(error instanceof Trouble)) throw error
    const pinned = record?.pinned ?? null
    return { id, status: error.exit === 3 ? 'UNREADABLE' : 'CORRUPT', because: error.message, manifest: null, objects, pinned }
  }
}

/** Every recovery point below a folder, oldest first, and the objects that belong to none. */
export async function catalogue(store: Store, folder: string, doing: Doing): Promise<{ points: Point[]; strays: string[] }> {
  const byPoint = new Map<string, Listed[]>()
  const strays: string[] = []
  for (const object of await store.list(folder)) {
    const [id = '', ...rest] = object.path.slice(folder.length + 1).split('/')
    if (id === STATE_FOLDER) continue
    if (POINT_ID.test(id) && rest.length === 1) byPoint.set(id, [...(byPoint.get(id) ?? []), object])
    else strays.push(object.path)
  }
  const todo = [...byPoint.entries()].sort(([a], [b]) => (a < b ? -1 : 1))
  const points = await pooled(todo, READERS, ([id, objects]) => readPoint(store, `${folder}/${id}`, id, objects, doing))
  return { points, strays }
}

/** Where leases and open runs live, beside the points. */
export const STATE_FOLDER = '.state'
