/** The meaning of every exit code: help, docs and tests print from this table. */
export const EXITS = [
  { exit: 0, word: 'DONE', means: 'done and verified' },
  { exit: 1, word: 'DEFECT', means: 'a defect of the toolkit' },
  { exit: 2, word: 'USAGE', means: 'usage or configuration: nothing was touched' },
  { exit: 3, word: 'REFUSED', means: 'a requirement is not met, the plan went stale, or declined: nothing was touched' },
  { exit: 4, word: 'NOT DONE', means: 'failed, and everything was undone and verified' },
  { exit: 5, word: 'HUMAN NEEDED', means: 'something stands half-way, or only a person can decide: what stands where is printed' },
  { exit: 6, word: 'BUSY', means: 'another run holds the lease' },
  { exit: 7, word: 'UNHEALTHY', means: 'a check failed: unhealthy, stale, corrupt' },
  { exit: 8, word: 'UNKNOWN', means: 'could not look: never reported as unhealthy or healthy' },
  { exit: 130, word: 'CANCELLED', means: 'by the operator (Ctrl-C), after undoing' },
  { exit: 143, word: 'CANCELLED', means: 'by SIGTERM, after undoing' },
] as const

/** An exit code of the table. */
export type Exit = (typeof EXITS)[number]['exit']

/** The word of an exit code. */
export function wordOf(exit: Exit): string {
  return EXITS.find(row => row.exit === exit)?.word ?? 'DEFECT'
}

/** A foreseen end of a run that an operator must hear of: why, what stands, what to do next. Anything else that is thrown is a defect (exit 1). */
export class Trouble extends Error {
  readonly exit: Exit
  readonly next: readonly string[]
  readonly look: readonly string[]

  constructor(exit: Exit, why: string, more: { next?: readonly string[]; look?: readonly string[]; cause?: unknown } = {}) {
    super(why, more.cause === undefined ? undefined : { cause: more.cause })
    this.name = 'Trouble'
    this.exit = exit
    this.next = more.next ?? []
    this.look = more.look ?? []
  }
}
