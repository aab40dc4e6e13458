import type { Back, Judged } from './sentences.ts'

/** A recovery point that a restore would go back to, ISO 8601. */
export type Until = { readonly id: string; readonly begun: string }

/** What was found, and what there is to go back to. */
export type Found = {
  readonly first: Judged
  /** Of a migration back on the copy, and of the release after it; absent where there was none to try. */
  readonly back?: Back | null
  readonly second?: Judged | null
  /** Whether the data was migrated since the release served. */
  readonly migrated: boolean
  readonly restore?: Until | undefined
  /** The last moment of which something would be lost, ISO 8601. */
  readonly now: string
}

/** What a rollback would need. `none`: neither a migration back nor a restore would help, or there is no recovery point. */
export type Verdict =
  | { readonly is: 'safe' }
  | { readonly is: 'down'; readonly from: string; readonly to: string }
  | { readonly is: 'restore'; readonly point: Until; readonly lostMs: number }
  | { readonly is: 'none'; readonly why: 'no migration' | 'no point' }

/** The verdict of a rehearsal; only what was seen to work is called so. */
export function verdictOf({ first, back, second, migrated, restore, now }: Found): Verdict {
  if (first.judged && first.good) return { is: 'safe' }
  if (back?.worked && second?.judged && second.good) return { is: 'down', from: back.was, to: back.at }
  if (!migrated) return { is: 'none', why: 'no migration' }
  if (!restore) return { is: 'none', why: 'no point' }
  return { is: 'restore', point: restore, lostMs: Math.max(0, Date.parse(now) - Date.parse(restore.begun)) }
}
