import { answers, leftoversCleared, loss, stamped, writers } from './backups/verbs/around.ts'
import { copy, manifestWritten, objectsRemoved, readBack } from './backups/verbs/copy.ts'
import { compared, examined, loaded, unloaded } from './backups/verbs/load.ts'
import { pinned, pruned, prunedOld } from './backups/verbs/prune.ts'
import { recorded, unrecorded } from './backups/verbs/record.ts'
import { replicated } from './backups/verbs/replicate.ts'
import { forgotten, held, released, swapped, swappedBack } from './backups/verbs/swap.ts'

/** Every verb by the name that plans and journals use. A name never changes its meaning, because old journals are read back by it. */
export const VERBS = {
  answers,
  compare: compared,
  copy,
  examine: examined,
  forget: forgotten,
  hold: held,
  'leftovers.clear': leftoversCleared,
  load: loaded,
  loss,
  manifest: manifestWritten,
  'objects.remove': objectsRemoved,
  pin: pinned,
  prune: pruned,
  'prune.old': prunedOld,
  'read-back': readBack,
  record: recorded,
  'record.remove': unrecorded,
  release: released,
  replicate: replicated,
  stamp: stamped,
  swap: swapped,
  'swap.back': swappedBack,
  unload: unloaded,
  writers,
} as const
