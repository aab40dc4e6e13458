import { Digest } from '../digest.ts'
import type { Items } from '../source.ts'
import type { Entry } from './contents.ts'

/** A cast as PostgreSQL writes expressions back: `::text`, `::character varying(20)[]`. */
const CAST =
  /::(?:(?:"(?:[^"]|"")+"|[a-z_][\w$]*)\.)?(?:"(?:[^"]|"")+"|[a-z_][\w$]*)(?: varying| precision| with(?:out)? time zone)?(?:\(\d+(?:,\d+)?\))?(?:\[\])*/gi

/**
 * A definition without what PostgreSQL itself changes when it is restored and dumped again: in `name IN ('a', 'b')` of a varchar column,
 * casts and parentheses move on the first way round.
 */
export function normalised(sql: string): string {
  return sql.replace(CAST, '').replace(/[()\s]/g, '')
}

/** Whether an entry belongs to the database as a whole (its name, settings and rights), which has another name in each place. */
export function isOfDatabase({ kind, name }: Entry): boolean {
  return kind === 'DATABASE' || kind === 'DATABASE PROPERTIES' || (ABOUT.has(kind) && name.startsWith('DATABASE '))
}

/** Kinds that say something about another object, and are named after it. */
const ABOUT = new Set(['ACL', 'COMMENT', 'SECURITY LABEL'])

/** Kinds that have an item of their own, or say nothing of the data. */
const APART = new Set(['TABLE DATA', 'SEQUENCE SET', 'BLOBS', 'ENCODING', 'STDSTRINGS', 'SEARCHPATH', 'STATISTICS DATA'])

/** Every definition (tables, indexes, views, functions, extensions, owners, rights), whatever its order. */
export function schemaItems(entries: readonly Entry[]): Items {
  const digest = new Digest()
  for (const entry of entries) {
    if (APART.has(entry.kind) || isOfDatabase(entry)) continue
    // Rights are listed in the order in which they were given, which a restore does not keep.
    const sql = entry.kind === 'ACL' ? entry.sql.split('\n').sort().join('') : entry.sql
    digest.text(entry.kind).text(entry.schema).text(entry.name).text(entry.owner).text(normalised(sql)).end()
  }
  return digest.items()
}

/** The last value of every sequence. */
export function sequenceItems(entries: readonly Entry[]): Items {
  const digest = new Digest()
  for (const { kind, sql } of entries) if (kind === 'SEQUENCE SET') digest.text(sql).end()
  return digest.items()
}

/** Roles that a restore of these entries needs: owners, and those that rights are given to. */
export function rolesOf(entries: readonly Entry[]): string[] {
  const roles = new Set(entries.map(({ owner }) => owner).filter(Boolean))
  for (const { kind, sql } of entries) {
    if (kind !== 'ACL' && kind !== 'DEFAULT ACL' && kind !== 'POLICY') continue
    for (const found of sql.matchAll(/ (?:TO|FROM|FOR ROLE) ((?:"(?:[^"]|"")+"|[\w$]+)(?:, (?:"(?:[^"]|"")+"|[\w$]+))*)/g)) {
      for (const role of found[1]!.split(', ')) roles.add(role.startsWith('"') ? role.slice(1, -1).replaceAll('""', '"') : role)
    }
  }
  roles.delete('PUBLIC')
  return [...roles].sort()
}
