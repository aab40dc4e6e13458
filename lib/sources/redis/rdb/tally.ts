import { Digest } from '../../digest.ts'
import type { Items } from '../../source.ts'
import type { KeyRecord } from './reader.ts'

/** The keys of one database: those that stay, and those that have a time to live. */
export type Keys = { readonly lasting: Items; readonly expiring: Items }

/** Counts keys and adds up their digests, a database at a time, in any order. */
export class Tally {
  readonly #dbs = new Map<number, { lasting: Digest; expiring: Digest }>()

  add({ db, digest, expiresMs }: Pick<KeyRecord, 'db' | 'digest' | 'expiresMs'>): void {
    let keys = this.#dbs.get(db)
    if (!keys) {
      keys = { lasting: new Digest(), expiring: new Digest() }
      this.#dbs.set(db, keys)
    }
    const of = expiresMs === null ? keys.lasting : keys.expiring
    of.text(digest).end()
  }

  /** What every database held that held anything. */
  keys(): Map<number, Keys> {
    return new Map([...this.#dbs].map(([db, { lasting, expiring }]) => [db, { lasting: lasting.items(), expiring: expiring.items() }]))
  }
}

/** The name of a database's keys that stay, in manifests and facts. */
export const lastingName = (db: number): string => `db${db}`
/** The name of its keys with a time to live. */
export const expiringName = (db: number): string => `db${db} (expiring)`

/** The items of databases, in their order; what is empty is left out. */
export function itemsOf(dbs: Iterable<readonly [db: number, keys: Keys]>): Record<string, Items> {
  const rows = [...dbs]
    .sort(([a], [b]) => a - b)
    .flatMap(([db, { lasting, expiring }]) => [[lastingName(db), lasting] as const, [expiringName(db), expiring] as const])
  return Object.fromEntries(rows.filter(([, { count }]) => count > 0))
}
