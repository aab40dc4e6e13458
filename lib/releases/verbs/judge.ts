import { run as runCommand } from '../../exec/process.ts'
import { spent } from '../../plan/durations.ts'
import type { Doing, Json, Seen, Verb } from '../../plan/plan.ts'
import { type Bundle, type Door, plain } from '../../platforms/platform.ts'
import { ask } from '../ask.ts'
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

/** Why one expectation is not met; undefined when it is. */
async function unmet(smoke: Smoke, bundle: Bundle, site: ReleaseSite, door: Door, headers: Readonly<Record<string, string>>, doing: Doing) {
  if (smoke.kind === 'run') {
    const { code, stdout, stderr } = await runCommand(platformOf(site).once(bundle, smoke.service, smoke.argv), doing)
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
    const because = await unmet(smoke, bundle, site, door, headers, doing)
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

/** When the watching of a release began; what is one step to the engine is one `doing`. */
const begun = new WeakMap<Doing, number>()

/** Watch a release under its traffic for a time: doomed when a service restarts, dies or stops being healthy. */
export const sound: Verb<SoundArgs, Json, ReleaseSite> = {
  effect: 'read',
  half: 'again',
  async look({ bundle, bakeMs, about }, site, doing) {
    const since = begun.get(doing) ?? performance.now()
    begun.set(doing, since)
    judgeFromNow(doing.run)
    const verdict = await platformOf(site).verdict(bundle.slot, bundle.release, [], about.since, doing)
    const watchedMs = Math.round(performance.now() - since)
    const state = plain({ watched: watchedMs >= bakeMs, saw: verdict.state })
    if (verdict.is === 'settled') return { state, is: 'moving' }
    // It was healthy before it got the traffic: whatever it is now, it is not better.
    return {
      ...verdict,
      state: plain({ watched: false, saw: verdict.state }),
      is: 'doomed',
      because: `after ${spent(watchedMs)} under traffic: ${verdict.because ?? 'it is not healthy any more'}`,
    }
  },
  goal: () => ({ watched: true }),
  undo: () => ({ none: 'it only looks' }),
}
