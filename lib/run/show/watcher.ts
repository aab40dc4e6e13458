import type { Entry } from '../../plan/journal.ts'
import type { Progress } from '../../plan/plan.ts'

/** Someone who watches a run: told of every entry after it was journaled, and of progress between entries; nothing depends on it. */
export interface Watcher {
  saw(entry: Entry): void
  /** Bytes or items of the step `of`. */
  moved(of: string, progress: Progress): void
  /** Before anything else writes on the screen, such as a question: resolves when the screen is free. */
  pause(): Promise<void>
  /** The screen is the watcher's again. */
  resume(): void
  /** Nothing more comes: resolves when the screen is free. */
  end(): Promise<void>
}

/** The watcher that shows nothing, for `--quiet`. */
export const silent: Watcher = {
  saw: () => {},
  moved: () => {},
  pause: async () => {},
  resume: () => {},
  end: async () => {},
}
