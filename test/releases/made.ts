import type { Bundle, ImageFacts, ServiceState, SlotState, Wanted } from '../../lib/platforms/platform.ts'
import type { ReleaseFacts } from '../../lib/releases/facts.ts'
import type { ReleaseRecord } from '../../lib/releases/records.ts'
import type { ReleaseSite } from '../../lib/releases/site.ts'

const wanted = (version: string): Wanted => ({ image: 'shop/web', version, digest: `sha256:${version}` })

/** A bundle of one service, `web`, unless others are said. */
export function bundle(release: string, more: Partial<Bundle> = {}): Bundle {
  return { release, slot: 'blue', services: { web: wanted(release) }, files: {}, secrets: {}, ...more }
}

/** The record of a release that was verified. */
export function recordOf(release: string, more: Partial<ReleaseRecord> = {}): ReleaseRecord {
  return {
    release,
    run: `run of ${release}`,
    how: 'deploy',
    bundle: bundle(release),
    previous: null,
    migration: null,
    backup: null,
    by: { user: 'ada', host: 'laptop' },
    approvedBy: null,
    overrides: [],
    at: '2026-11-21T10:00:00.000Z',
    tookMs: 5_000,
    door: { requests: 100, failed: 0, longestGapMs: 20 },
    ...more,
  }
}

/** A service that is as it should be. */
export const running = (version: string, more: Partial<ServiceState> = {}): ServiceState => ({
  version,
  digest: `sha256:${version}`,
  wanted: 1,
  running: 1,
  healthy: 1,
  restarts: 0,
  ...more,
})

/** What a look found, where `serving` is what stands in blue. */
export function facts(serving: SlotState | null, records: readonly ReleaseRecord[] = []): ReleaseFacts {
  return {
    platform: { where: '/srv/shop', state: 'answers', tools: [], freeBytes: null },
    standing: { slots: serving ? { blue: serving } : {}, serving: serving ? 'blue' : null, idle: 'green' },
    records,
    serving,
    current: records.find(({ release }) => release === serving?.release),
    time: '2026-11-21T10:00:00.000Z',
  }
}

/** The image of a service as the platform finds it. */
export function image(version: string, more: Partial<ImageFacts> = {}): ImageFacts {
  return { service: 'web', image: 'shop/web', version, state: 'present', digest: `sha256:${version}`, sizeBytes: 10, ...more }
}

/** A stack as preflight needs it. */
export function site(more: Partial<ReleaseSite> = {}): ReleaseSite {
  const service = (name: string) => [name, { name, image: `shop/${name}`, port: 3000, traffic: 'split', twice: 'allowed' }] as const
  return {
    stack: 'shop',
    environment: 'production',
    services: new Map([service('web'), service('api')]),
    by: { user: 'ada', host: 'laptop' },
    approvals: 0,
    freezes: [],
    deploy: { smoke: [], metrics: [], bakeMs: 1_000, budgetMs: 1_000, backup: false, probe: { path: '/', perSecond: 60 }, keep: 3 },
    ...more,
  } as ReleaseSite
}
