import type { Json, Verb } from '../../plan/plan.ts'
import { type Bundle, plain } from '../../platforms/platform.ts'
import type { BundleArgs, HealthyArgs, SlotArgs, StartArgs, WorkersArgs } from '../sentences.ts'
import { platformOf, type ReleaseSite } from '../site.ts'

type S = { readonly release: string | null; readonly is: string }

const look = async (slot: string, site: ReleaseSite, doing: Parameters<Verb['look']>[2]) => {
  const { release, is } = await platformOf(site).slot(slot, doing)
  return { state: { release, is }, is: 'settled' as const }
}

/** Make the images of a release present. */
export const fetched: Verb<BundleArgs, Readonly<Record<string, boolean>>, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  look: async ({ bundle }, site, doing) => ({ state: await platformOf(site).fetched(bundle, doing), is: 'settled' }),
  goal: ({ bundle }) => Object.fromEntries(Object.keys(bundle.services).map(name => [name, true])),
  does: ({ bundle }, site) => platformOf(site).fetch(bundle),
  undo: () => ({ none: 'images stay for the next try' }),
}

/** Write the files and secrets of a release. */
export const staged: Verb<BundleArgs, Json, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  undone: 'remove them',
  look: async ({ bundle }, site, doing) => ({ state: plain({ files: await platformOf(site).staged(bundle.release, doing) }), is: 'settled' }),
  goal: ({ bundle }) => ({ files: bundle.files }),
  does: ({ bundle }, site) => platformOf(site).stage(bundle),
  undo: ({ bundle }) => ({ verb: 'release.unstage', of: bundle.release, args: plain({ bundle }) }),
}

/** Remove the files and secrets of a release. */
export const unstaged: Verb<BundleArgs, Json, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  look: staged.look,
  goal: () => ({ files: null }),
  does: ({ bundle }, site) => platformOf(site).unstage(bundle.release),
  undo: () => ({ none: 'it is itself an undo' }),
}

/** Put a release where it runs: into a slot off traffic, or in place of the current one where there are no slots. */
export const started: Verb<StartArgs, S, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  undone: 'remove it',
  async look({ bundle, without }, site, doing) {
    const seen = await look(bundle.slot, site, doing)
    if (seen.state.release !== bundle.release || seen.state.is === 'running') return seen
    // What ended at once has a cause, which is worth more than that it does not run.
    const { because, look: log } = await platformOf(site).verdict(bundle.slot, bundle.release, without, new Date(0).toISOString(), doing)
    return { ...seen, ...(because ? { because } : {}), ...(log ? { look: log } : {}) }
  },
  goal: ({ bundle }) => ({ release: bundle.release, is: 'running' }),
  does: ({ bundle, without }, site) => platformOf(site).start(bundle, without),
  undo({ bundle, back }, before) {
    if (back) return { verb: 'release.return', of: bundle.slot, args: plain({ bundle: back, without: [], back: null }) }
    const was = before.release === bundle.release && before.is === 'stopped'
    return { verb: was ? 'slot.stop' : 'slot.remove', of: bundle.slot, args: { slot: bundle.slot, release: bundle.release } }
  },
}

/** Replace what serves: users get the new version instance by instance, so a protected environment wants its name typed. */
export const replaced: Verb<StartArgs, S, ReleaseSite> = {
  ...started,
  effect: 'destroy',
  undone: 'put back what was verified last',
  undo(args, before) {
    if (args.back === null && before.is !== 'absent' && before.release !== args.bundle.release)
      return { none: 'what ran before was never verified, so it cannot be put back, and nothing is removed', person: true }
    return started.undo(args, before)
  },
}

/** Put the former release back in place and wait until it serves. */
export const returned: Verb<StartArgs, Json, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  async look({ bundle }, site, doing) {
    const platform = platformOf(site)
    const { release, is, services } = await platform.slot(bundle.slot, doing)
    const versions = Object.fromEntries(Object.entries(services).map(([name, { version }]) => [name, version]))
    if (release !== bundle.release) return { state: { release, is, versions, healthy: false }, is: 'settled' }
    const verdict = await platform.verdict(bundle.slot, bundle.release, [], new Date(0).toISOString(), doing)
    return { ...verdict, state: { release, is, versions, healthy: verdict.is === 'settled' } }
  },
  goal: ({ bundle }) => ({ release: bundle.release, is: 'running', healthy: true }),
  does: ({ bundle, without }, site) => platformOf(site).start(bundle, without),
  undo: () => ({ none: 'it is itself an undo' }),
}

/** Wait until every service of a release is healthy, or it is known that it never will be. */
export const healthy: Verb<HealthyArgs, Json, ReleaseSite> = {
  effect: 'read',
  half: 'again',
  async look({ bundle, without, about }, site, doing) {
    const verdict = await platformOf(site).verdict(bundle.slot, bundle.release, without, about.since, doing)
    return { ...verdict, state: { healthy: verdict.is === 'settled', saw: verdict.state } }
  },
  goal: () => ({ healthy: true }),
  undo: () => ({ none: 'it only looks' }),
}

/** Stop what a slot runs and keep it ready. */
export const stopped: Verb<SlotArgs, S, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  undone: 'start it',
  look: ({ slot }, site, doing) => look(slot, site, doing),
  goal: ({ release }) => ({ release, is: 'stopped' }),
  does: ({ slot }, site) => platformOf(site).stop(slot),
  undo: () => ({ none: 'it serves nobody' }),
}

/** Remove what stands in a slot. */
export const removed: Verb<SlotArgs, S, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  look: ({ slot }, site, doing) => look(slot, site, doing),
  goal: () => ({ release: null, is: 'absent' }),
  does: ({ slot }, site) => platformOf(site).remove(slot),
  undo: () => ({ none: 'it is itself an undo' }),
}

/** Stop or start those services of a slot that must not run in two versions at once. */
export const workers: Verb<WorkersArgs, Readonly<Record<string, string>>, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  undone: 'as they were',
  async look({ bundle, services }, site, doing) {
    const { services: found } = await platformOf(site).slot(bundle.slot, doing)
    return { state: Object.fromEntries(services.map(name => [name, (found[name]?.running ?? 0) > 0 ? 'running' : 'stopped'])), is: 'settled' }
  },
  goal: ({ services, to }) => Object.fromEntries(services.map(name => [name, to])),
  does: ({ bundle, services, to }, site) => platformOf(site).toggle(bundle, services, to),
  undo: ({ bundle, services, to }) => back(bundle, services, to === 'running' ? 'stopped' : 'running'),
}

const back = (bundle: Bundle, services: readonly string[], to: 'stopped' | 'running') => ({
  verb: 'workers',
  of: `${services.join(', ')} in ${bundle.slot}: ${to}`,
  args: plain({ bundle, services, to }),
})
