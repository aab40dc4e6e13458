import type { Json, NoUndo, Verb } from '../../plan/plan.ts'
import type { ConfiguredState } from '../../platforms/configured.ts'
import { type Bundle, plain } from '../../platforms/platform.ts'
import { keptOf } from '../records.ts'
import { platformOf, type ReleaseSite } from '../site.ts'
import { configuredOn } from './facts.ts'
import { addConfigurations, type ConfiguredRecord, configurationsOf, configuredCell, ofService } from './records.ts'
import { type ApplyArgs, applyConfiguration, type ConfigurationArgs, type KeptArgs, type RecordsArgs, type ServiceArgs } from './sentences.ts'

const on = (site: ReleaseSite) => configuredOn(platformOf(site))

const kept = async ({ bundle }: ConfigurationArgs, site: ReleaseSite, doing: Parameters<Verb['look']>[2]) => ({
  state: plain({ files: await on(site).staged(bundle.slot, bundle.release, doing) }),
  is: 'settled' as const,
})

/** Write a configuration beside the one in use. */
export const staged: Verb<ConfigurationArgs, Json, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  undone: 'remove them',
  look: kept,
  goal: ({ bundle }) => ({ files: bundle.files }),
  does: ({ bundle }, site) => on(site).stage(bundle),
  undo: ({ bundle }) => ({ verb: 'configured.unstage', of: bundle.slot, args: plain({ bundle }) }),
}

/** Remove a configuration that is not in use. */
export const unstaged: Verb<ConfigurationArgs, Json, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  look: kept,
  goal: () => ({ files: null }),
  does: ({ bundle }, site) => on(site).unstage(bundle.slot, bundle.release),
  undo: () => ({ none: 'it is itself an undo' }),
}

/** Have the service's own tool check a configuration, in the image that is to run it. */
export const checked: Verb<ConfigurationArgs, Json, ReleaseSite> = {
  effect: 'read',
  half: 'again',
  async look({ bundle }, site, doing) {
    const refused = await on(site).refused(bundle, doing)
    return refused === null
      ? { state: { refused }, is: 'settled' }
      : { state: { refused }, is: 'doomed', because: `${bundle.slot}: ${refused}`, look: refused }
  },
  goal: () => ({ refused: null }),
  undo: () => ({ none: 'it only looks' }),
}

/** Have a service run a configuration; the evidence is what the service then says. */
export const applied: Verb<ApplyArgs, Json, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  undone: 'as it was, and it says so',
  async look({ bundle, says }, site, doing) {
    const state = await on(site).state(bundle.slot, doing)
    // What it said when it was verified is as good as having read its files since.
    const wrong = says !== null && state.says === says ? null : state.wrong
    const { release, files, runs, version, digest } = state
    return {
      state: plain({ release, files, runs, version, digest, wrong }),
      is: release !== bundle.release ? 'settled' : state.doomed ? 'doomed' : 'moving',
      ...(wrong === null ? {} : { because: `${bundle.slot}: ${wrong}` }),
      ...(state.log === undefined ? {} : { look: state.log }),
    }
  },
  goal({ bundle }) {
    const { version = '', digest = null } = bundle.services[bundle.slot] ?? {}
    return { release: bundle.release, files: bundle.files, runs: true, version, ...(digest === null ? {} : { digest }), wrong: null }
  },
  does: ({ bundle }, site) => on(site).apply(bundle),
  undo: ({ bundle, back }, before) => wayBack(bundle, back, before as unknown as ConfiguredState),
}

function wayBack({ slot }: Bundle, back: ApplyArgs['back'], before: ConfiguredState) {
  if (back) return applyConfiguration(`${slot}: back`, { ...back, back: null })
  if (before.runs) return { none: 'what it ran before was put there by hand', person: true } satisfies NoUndo
  return { verb: 'configured.remove', of: slot, args: { service: slot } }
}

/** End a service that did not run before. */
export const removed: Verb<ServiceArgs, Json, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  async look({ service }, site, doing) {
    const { runs, files } = await on(site).state(service, doing)
    return { state: plain({ runs, files }), is: 'settled' }
  },
  goal: () => ({ runs: false, files: null }),
  does: ({ service }, site) => on(site).remove(service),
  undo: () => ({ none: 'it is itself an undo' }),
}

/** Record configurations with what the services say now, where everybody who deploys can read it. */
export const recorded: Verb<RecordsArgs, Json, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  async look({ records }, site) {
    const run = (records[0] as unknown as ConfiguredRecord | undefined)?.run
    return { state: { recorded: (await configurationsOf(platformOf(site))).some(known => known.run === run) }, is: 'settled' }
  },
  goal: () => ({ recorded: true }),
  does: ({ records, about }, site) => [
    {
      kind: 'call',
      prints: `record the configurations at ${configuredCell(platformOf(site)).where}`,
      async run(doing) {
        const now = new Date()
        const tookMs = now.getTime() - Date.parse(about.began)
        const known = records as unknown as readonly ConfiguredRecord[]
        const heard = known.map(async record => {
          const { says } = await on(site).state(record.service, doing)
          if (says === null) throw new Error(`${record.service} does not answer any more`)
          return { ...record, says, at: now.toISOString(), tookMs }
        })
        await addConfigurations(platformOf(site), await Promise.all(heard))
        return { tookMs }
      },
    },
  ],
  undo: () => ({ none: 'a verified configuration stays on record' }),
}

async function surplusOf({ service, keep }: KeptArgs, site: ReleaseSite, doing: Parameters<Verb['look']>[2]): Promise<readonly string[]> {
  const [records, { release }] = await Promise.all([configurationsOf(platformOf(site)), on(site).state(service, doing)])
  const wanted = keptOf(ofService(records, service), release, keep).map(record => record.release)
  return on(site).surplus(service, [...wanted, ...(release === null ? [] : [release])], doing)
}

/** Let go of configurations that nobody goes back to. */
export const tidied: Verb<KeptArgs, Json, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  look: async (args, site, doing) => ({ state: { surplus: await surplusOf(args, site, doing) }, is: 'settled' }),
  goal: () => ({ surplus: [] }),
  does: (args, site) => [
    {
      kind: 'call',
      prints: `remove configurations of ${args.service} but the last ${args.keep} verified ones`,
      async run(doing) {
        for (const release of await surplusOf(args, site, doing))
          for (const action of on(site).unstage(args.service, release)) await action.run(doing)
        return undefined
      },
    },
  ],
  undo: () => ({ none: 'nobody goes back to them' }),
}
