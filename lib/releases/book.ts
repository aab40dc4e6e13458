import { Trouble } from '../plan/outcome.ts'
import { type Cell, StoreError } from '../stores/store.ts'

type Book<R> = { readonly format: 1; readonly releases: readonly R[] }

/** Records that are kept, oldest first to go: 2 kB each, so that the document stays below what a Kubernetes object may hold. */
const KEPT = 50

/** The records in a cell, newest first, and the version to change it by; Trouble(3) for what this toolkit did not write. */
async function read<R>(cell: Cell): Promise<{ records: readonly R[]; version: string }> {
  const { body, version } = await cell.read()
  if (body === null) return { records: [], version }
  try {
    const book = JSON.parse(body) as Book<R>
    if (book.format === 1) return { records: book.releases, version }
  } catch {
    // Said below.
  }
  throw new Trouble(3, `The releases at ${cell.where} are damaged, or of another version of this toolkit`, {
    look: [`what is written at ${cell.where}`],
  })
}

/** The records in a cell, newest first. */
export const recordsIn = async <R>(cell: Cell): Promise<readonly R[]> => (await read<R>(cell)).records

/** Adds records, those of one run at once and only once. */
export async function addTo<R extends { readonly run: string }>(cell: Cell, added: readonly R[]): Promise<void> {
  for (;;) {
    const { records, version } = await read<R>(cell)
    const missing = added.filter(({ run }) => !records.some(known => known.run === run))
    if (missing.length === 0) return
    try {
      await cell.write(JSON.stringify({ format: 1, releases: [...missing, ...records].slice(0, KEPT) } satisfies Book<R>), version)
      return
    } catch (error) {
      if (!(error instanceof StoreError && error.fault === 'conflict')) throw error
    }
  }
}
