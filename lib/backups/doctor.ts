import { backupAgeVerdict } from '../checks/backup-age.ts'
import type { Told } from '../notify/tell.ts'
import { spent } from '../plan/durations.ts'
import type { StoreFacts } from '../stores/store.ts'
import type { Point } from './catalogue.ts'
import type { DataSite } from './site.ts'

/** Lower versions cannot strip types or compress zstd; `node@24` of package.json is the one that is tested. */
const NODE_NEEDED = 24

/** S3 refuses requests whose clock is more than 15 minutes off; a third of that is the time to say so. */
const SKEW_MS = 5 * 60_000

/** The runtime is the one that the toolkit pins. */
export function runtimeRight(version = process.versions.node) {
  const major = Number(version.split('.')[0])
  return {
    title: `Node ${version}`,
    holds: major >= NODE_NEEDED,
    because: `this runs on Node ${version}; the toolkit needs ${NODE_NEEDED}`,
    mend: 'npm ci, then start it by npx zx, or by node_modules/.bin/node node_modules/.bin/zx',
  }
}

/** The store's clock and ours agree, as far as the store tells its own. */
export function clockRight(store: StoreFacts) {
  const skew = store.skewMs ?? 0
  return {
    title: `${store.name}: clocks agree`,
    holds: Math.abs(skew) < SKEW_MS,
    because: `this machine's clock is ${spent(Math.abs(skew))} ${skew > 0 ? 'ahead of' : 'behind'} the store's`,
    mend: 'timedatectl set-ntp true',
  }
}

/** What the store promises about removal before its time; it holds unless the stack asks for a lock that the store cannot give. */
export function lockRight({ name, lock }: StoreFacts) {
  const says = lock?.says ?? 'objects can be removed at any time'
  return {
    title: `${name}: ${says}`,
    holds: !lock?.asked || lock.mode !== 'none',
    because: `the stack wants the backups in ${name} locked, but ${says}`,
    ...(lock?.mend ? { mend: lock.mend } : {}),
  }
}

/** There is a sound backup, and none of the allowed data loss has passed since. */
export function freshEnough(points: readonly Point[], site: Pick<DataSite, 'stack' | 'environment' | 'dataLossMs'>, nowMs = Date.now()) {
  const { is, says } = backupAgeVerdict(points.at(-1)?.manifest?.begun ?? null, site.dataLossMs, nowMs)
  return {
    title: 'a fresh backup',
    holds: is === 'healthy',
    because: says,
    mend: `npx zx runbooks/backup.ts --stack=${site.stack} --environment=${site.environment}`,
  }
}

/** Every channel took the test message; an environment without channels tells nobody of anything. */
export function channelRight(told: readonly Told[]) {
  if (told.length === 0)
    return [
      {
        title: 'somebody is told',
        holds: false,
        because: 'the environment has no channel, so nobody hears of a failure',
        mend: 'add notify: […] to the environment in the stack file',
      },
    ]
  return told.map(({ channel, kind, why }) => ({
    title: `${channel} takes messages`,
    holds: why === undefined,
    because: `${channel} could not be told: ${why}`,
    mend: `look at the ${kind} channel in the stack file and its secret`,
  }))
}
