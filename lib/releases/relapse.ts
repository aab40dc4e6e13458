import type { SlotState } from '../platforms/platform.ts'

/**
 * How long a release that was healthy may have an instance that is not ready, in milliseconds, while none of it has ended: a probe that was answered
 * late on a busy machine is no fault of a release, and the recorder sees what users see meanwhile.
 */
const UNREADY_MS = 5_000

/** What is known of a release under its traffic: how often it had been restarted when the watch began, and since when something of it is not ready. */
export type Watch = { readonly restarts: number; unreadySinceMs: number | undefined }

const restartsOf = ({ services }: SlotState) => Object.values(services).reduce((sum, { restarts }) => sum + restarts, 0)

/** A watch of a release that stands like this. What is not well at the first look was so before: no restart of it is forgiven. */
export const watchOf = (state: SlotState, well: boolean): Watch => ({ restarts: well ? restartsOf(state) : 0, unreadySinceMs: undefined })

/** Whether a release that is not settled any more has fallen: an instance has ended, or is unready for too long. */
export function hasFallen(watch: Watch, state: SlotState, nowMs: number): boolean {
  const ended = restartsOf(state) > watch.restarts || Object.values(state.services).some(({ wanted, running }) => running < wanted)
  watch.unreadySinceMs ??= nowMs
  return ended || nowMs - watch.unreadySinceMs >= UNREADY_MS
}
