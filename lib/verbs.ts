import { answers, leftoversCleared, loss, stamped, writers } from './backups/verbs/around.ts'
import { copy, manifestWritten, objectsRemoved, readBack } from './backups/verbs/copy.ts'
import { compared, examined, loaded, sampleExamined, unloaded } from './backups/verbs/load.ts'
import { pinned, pruned, prunedOld } from './backups/verbs/prune.ts'
import { recorded, unrecorded } from './backups/verbs/record.ts'
import { replicated } from './backups/verbs/replicate.ts'
import { forgotten, held, released, swapped, swappedBack } from './backups/verbs/swap.ts'

import {
  applied as configurationApplied,
  checked as configurationChecked,
  staged as configurationStaged,
  recorded as configurationsRecorded,
  tidied as configurationsTidied,
  unstaged as configurationUnstaged,
  removed as configuredRemoved,
} from './releases/configured/verbs.ts'
import {
  judged as rehearsalJudged,
  migrated as rehearsalMigrated,
  back as rehearsalMigratedBack,
  put as rehearsalPut,
  removed as rehearsalRemoved,
  started as rehearsalStarted,
  stopped as rehearsalStopped,
} from './releases/rehearse/verbs.ts'
import { migrated, migratedForGood, unmigrated } from './releases/verbs/data.ts'
import { baseline, frontDoor } from './releases/verbs/front-door.ts'
import { measured, reached, smoked, sound } from './releases/verbs/judge.ts'
import { recorded as releaseRecorded, tidied } from './releases/verbs/records.ts'
import {
  changed as setupChanged,
  made as setupMade,
  ready as setupReady,
  stands as setupStands,
  unmade as setupUnmade,
} from './releases/verbs/setup.ts'
import { fetched, healthy, removed, replaced, returned, staged, started, stopped, unstaged, workers } from './releases/verbs/slots.ts'
import { drained, traffic } from './releases/verbs/traffic.ts'

/** Every verb by the name that plans and journals use. A name never changes its meaning, because old journals are read back by it. */
export const VERBS = {
  answers,
  compare: compared,
  'configured.apply': configurationApplied,
  'configured.check': configurationChecked,
  'configured.record': configurationsRecorded,
  'configured.remove': configuredRemoved,
  'configured.stage': configurationStaged,
  'configured.tidy': configurationsTidied,
  'configured.unstage': configurationUnstaged,
  copy,
  drained,
  examine: examined,
  'examine.sample': sampleExamined,
  forget: forgotten,
  'front-door': frontDoor,
  'front-door.baseline': baseline,
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
  'rehearsal.back': rehearsalMigratedBack,
  'rehearsal.judge': rehearsalJudged,
  'rehearsal.migrate': rehearsalMigrated,
  'rehearsal.put': rehearsalPut,
  'rehearsal.remove': rehearsalRemoved,
  'rehearsal.start': rehearsalStarted,
  'rehearsal.stop': rehearsalStopped,
  release: released,
  'release.fetch': fetched,
  'release.healthy': healthy,
  'release.metrics': measured,
  'release.migrate': migrated,
  'release.migrate.for-good': migratedForGood,
  'release.reached': reached,
  'release.record': releaseRecorded,
  'release.replace': replaced,
  'release.return': returned,
  'release.smoke': smoked,
  'release.sound': sound,
  'release.stage': staged,
  'release.start': started,
  'release.unmigrate': unmigrated,
  'release.unstage': unstaged,
  'releases.tidy': tidied,
  replicate: replicated,
  'setup.change': setupChanged,
  'setup.make': setupMade,
  'setup.ready': setupReady,
  'setup.stands': setupStands,
  'setup.unmake': setupUnmade,
  'slot.remove': removed,
  'slot.stop': stopped,
  stamp: stamped,
  swap: swapped,
  'swap.back': swappedBack,
  traffic,
  unload: unloaded,
  workers,
  writers,
} as const
