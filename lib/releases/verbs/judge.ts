import { type Command, run as runCommand } from '../../exec/process.ts'
import { spent } from '../../plan/durations.ts'
import type { Doing, Json, Seen, Verb } from '../../plan/plan.ts'
import { type Bundle, type Door, plain, type SlotState } from '../../platforms/platform.ts'
import { ask } from '../ask.ts'
import { hasFallen, type Watch, watchOf } from '../relapse.ts'
import type { BundleArgs, SmokeArgs, SoundArgs } from '../sentences.ts'
import { platformOf, type ReleaseSite, type Smoke } from '../site.ts'
import { judgeFromNow } from './front-door.ts'

/** Right answers in a row after which the front door is taken to know a slot's addresses: with fewer, requests were lost in trials. */
const IN_A_ROW = 5
/** Longest time for one of these answers. */
const REACH_MS = 5_000

/** Paths with which the front door reaches the split services of a bundle. */
function doorsOf(site: ReleaseSite, bundle: Bundle): string[] {
  const split = Object.keys(bundle.services).flatMap(name => site.services.get(name) ?? [])
  return [...new Set(split.filter(service => service.traffic === 'split').map(service => service.door ?? service.health ?? '/'))]
}

async function trackOf(site: ReleaseSite, bundle: Bundle, doing: Doing): Promise<Readonly<Record<string, string>>> {
  return (await platformOf(site).split?.track(bundle.slot, doing)) ?? {}
}

/** Reach a slot through the front door, before any traffic goes to it. */
export const reached: Verb<BundleArgs, Json, ReleaseSite> = {
  effect: 'read',
  half: 'again',
  async look({ bundle }, site, doing) {
    const door = await platformOf(site).door(doing)
    const headers = await trackOf(site, bundle, doing)
    for (const path of doorsOf(site, bundle)) {
      for (let right = 0; right < IN_A_ROW; right += 1) {
        const { status, failed } = await ask(door, path, { withinMs: REACH_MS, headers, signal: doing.signal })
        // An answer that the end of the time cut off says nothing; why the one before was wrong does.
        doing.signal.throwIfAborted()
        if (failed !== undefined || status >= 500)
          return {
            state: { reached: false, path },
            is: 'moving',
            because: `${path} of ${bundle.slot}, through the front door: ${failed ?? `status ${status}`}`,
          }
      }
    }
    return { state: { reached: true }, is: 'settled' }
  },
  goal: () => ({ reached: true }),
  undo: () => ({ none: 'it only looks' }),
}

/** Where a release is asked: at a door, with headers, and by commands of its services. */
type Asked = { readonly door: Door; readonly headers: Readonly<Record<string, string>>; once(service: string, argv: readonly string[]): Command }

/** Why one expectation is not met; undefined when it is. */
export async function unmet(smoke: Smoke, { door, headers, once }: Asked, doing: Doing): Promise<string | undefined> {
  if (smoke.kind === 'run') {
    const { code, stdout, stderr } = await runCommand(once(smoke.service, smoke.argv), doing)
    return code === 0 ? undefined : `${smoke.argv.join(' ')} in ${smoke.service} exited ${code}: ${lastLine(stderr) || lastLine(stdout)}`
  }
  const { status, body, tookMs, failed } = await ask(door, smoke.path, { withinMs: smoke.withinMs, headers, signal: doing.signal })
  if (failed !== undefined) return `${smoke.path}: ${failed}`
  if (status !== smoke.status) return `${smoke.path} answered ${status}, wanted ${smoke.status}: ${body.trim().slice(0, 120)}`
  if (smoke.contains !== undefined && !body.includes(smoke.contains)) return `${smoke.path} answered without ${JSON.stringify(smoke.contains)}`
  return tookMs > smoke.withinMs ? `${smoke.path} took ${spent(tookMs)}, more than ${spent(smoke.withinMs)}` : undefined
}

const lastLine = (text: string) => text.trimEnd().split('\n').at(-1) ?? ''

async function judged(smokes: readonly Smoke[], { bundle, track }: SmokeArgs, site: ReleaseSite, doing: Doing): Promise<Seen> {
  const door = await platformOf(site).door(doing)
  const headers = track ? await trackOf(site, bundle, doing) : {}
  for (const [i, smoke] of smokes.entries()) {
    const because = await unmet(smoke, { door, headers, once: (service, argv) => platformOf(site).once(bundle, service, argv) }, doing)
    doing.signal.throwIfAborted()
    // Until its time is over a test may still come to pass: caches fill, connections are made.
    if (because) return { state: { passed: i, of: smokes.length, because }, is: 'moving', because }
  }
  return { state: { passed: smokes.length, of: smokes.length, because: null }, is: 'settled' }
}

/** Smoke-test a release: every expectation of the stack file is met. */
export const smoked: Verb<SmokeArgs, Json, ReleaseSite> = {
  effect: 'read',
  half: 'again',
  look: (args, site, doing) => judged(site.deploy.smoke, args, site, doing),
  goal: () => ({ because: null }),
  undo: () => ({ none: 'it only looks' }),
}

/** The metrics of a release that serves are as the stack file wants them. */
export const measured: Verb<SmokeArgs, Json, ReleaseSite> = {
  ...smoked,
  look: (args, site, doing) => judged(site.deploy.metrics, args, site, doing),
}

/** The watch of a release, and when it began; what is one step to the engine is one `doing`. */
const begun = new WeakMap<Doing, Watch & { readonly sinceMs: number }>()

/** Watch a release under its traffic for a time: doomed when a service restarts, dies or stops being healthy. */
export const sound: Verb<SoundArgs, Json, ReleaseSite> = {
  effect: 'read',
  half: 'again',
  async look({ bundle, bakeMs, about }, site, doing) {
    const beganMs = begun.get(doing)?.sinceMs ?? performance.now()
    judgeFromNow(doing.run)
    const verdict = await platformOf(site).verdict(bundle.slot, bundle.release, [], about.since, doing)
    const saw = verdict.state as unknown as SlotState
    const watch = begun.get(doing) ?? { ...watchOf(saw, verdict.is === 'settled'), sinceMs: beganMs }
    begun.set(doing, watch)
    const nowMs = performance.now()
    const watchedMs = Math.round(nowMs - beganMs)
    const going = (watched: boolean): Seen => ({ state: plain({ watched, saw }), is: 'moving' })
    if (verdict.is === 'settled') watch.unreadySinceMs = undefined
    // Who scales up, or takes a pod away, is no fault of the release.
    if (verdict.is === 'settled' || (verdict.is === 'moving' && verdict.coming)) return going(watchedMs >= bakeMs)
    if (verdict.is === 'moving' && !hasFallen(watch, saw, nowMs)) return going(false)
    // It was healthy before it got the traffic: whatever it is now, it is not better.
    return {
      ...verdict,
      state: plain({ watched: false, saw }),
      is: 'doomed',
      because: `after ${spent(watchedMs)} under traffic: ${verdict.because ?? 'it is not healthy any more'}`,
    }
  },
  goal: () => ({ watched: true }),
  undo: () => ({ none: 'it only looks' }),
}
