// The words that runbooks are written with. They are loaded when there is work, so that --help and a mistyped flag answer at once.

export { backUp, clearDeadUploads, pointOf, saveThePresent } from '../backups/back-up.ts'
export { catalogue } from '../backups/catalogue.ts'
export { choose, pointChoices, usable } from '../backups/choose.ts'
export { channelRight, clockRight, freshEnough, lockRight, runtimeRight } from '../backups/doctor.ts'
export { drillPlan } from '../backups/drill.ts'
export { answering, hasRoom, hasTools, lookAt, notEmpty, shrunk, writable } from '../backups/facts.ts'
export { everyCheck } from '../backups/health.ts'
export { listLines, listResult, pointName, pointPhrase, stale, when } from '../backups/listing.ts'
export { pinChoices, pinPlan, standsIn, thePoint } from '../backups/pinning.ts'
export { itemsIn } from '../backups/point.ts'
export { agingOf, bytesOf, decisionsResult, letGoOfOld, oldWarnings, prunePlan, removals, worthCopying } from '../backups/prune.ts'
export { gateLines, gateRows, lossRows, lossSentence, restorePlan, undoPlan, writes } from '../backups/restore.ts'
export { decryptable, oldRemains, partsOf, presentKnown, undoable, writersOut } from '../backups/restore-facts.ts'
export { keepInWords } from '../backups/retention.ts'
export { firstStore, folderOf } from '../backups/site.ts'
export { copyAround, gapsOf, storesWith } from '../backups/stores.ts'
export { sampleSays, samplingOf, verdictsOf, verifyPoints } from '../backups/verify.ts'
export { lookAtAll } from '../checks/check.ts'
export { exposition } from '../checks/exposition.ts'
export { byVerdict, exitOf, findingsResult, healthSentence, onlyThese } from '../checks/findings.ts'
export { count, plural, size, spent } from '../plan/durations.ts'
export { lookAtConfigured, lookBack, namedServices } from '../releases/configured/facts.ts'
export { configurePlan } from '../releases/configured/plan.ts'
export {
  configurationChanges,
  configurationDifference,
  configurationsThere,
  configuredEnd,
  configuresAll,
  configuresOnly,
  stillConfigured,
} from '../releases/configured/words.ts'
export { releasePlan } from '../releases/deploy.ts'
export { differenceOf, downgrades, isSame } from '../releases/difference.ts'
export { beforeDeploy, bundleOf, draftOf, imagesOf, lookAtReleases, runOnce, scansOf, versionsOf, wantedOf } from '../releases/facts.ts'
export { releaseChecks } from '../releases/health.ts'
export { doorFigures, doorSays, madeBy, releaseResult, stillServes } from '../releases/listing.ts'
export {
  approved,
  askedRight,
  imagesThere,
  notFrozen,
  passed,
  platformAnswers,
  preflightLine,
  roomThere,
  savable,
  sickNow,
  unseenImages,
  versionsKnown,
} from '../releases/preflight.ts'
export { namedRelease, targetOf } from '../releases/records.ts'
export { lookAtRehearsal } from '../releases/rehearse/facts.ts'
export { rehearsalPlan } from '../releases/rehearse/plan.ts'
export { keptApart, rehearsalEnd, rehearsalLines, rehearsedAlone } from '../releases/rehearse/words.ts'
export { keptFiles, nothingToGoBackTo, otherSecrets, rollbackPlan, rolledBack, schemaFits, stillThere } from '../releases/rollback.ts'
export { setupLines, setupOn, setupPlan, setupResult, surveyOf } from '../releases/setup.ts'
export { findingsTable } from './show/findings.ts'
export { lossTable } from './show/loss.ts'
export { releaseTable } from './show/releases.ts'
