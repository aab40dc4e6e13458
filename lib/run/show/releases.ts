import type { ReleaseFacts } from '../../releases/facts.ts'
import { releaseRows } from '../../releases/listing.ts'
import { table } from './table.ts'

const COLUMNS = ['verified', 'by', 'version', 'id', 'who', 'how it went', ''].map(title => ({ title }))

/** The verified releases as lines, newest first; `when` writes a time for people. */
export function releaseTable(facts: ReleaseFacts, when: (iso: string) => string): string[] {
  return facts.records.length === 0 ? ['No release was verified here yet.'] : table(COLUMNS, releaseRows(facts, when))
}
