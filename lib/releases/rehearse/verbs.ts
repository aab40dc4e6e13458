import { type Command, CommandFailed, mustRun, prints, run as runCommand } from '../../exec/process.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing, Goal, Json, Seen, Verb } from '../../plan/plan.ts'
import { redact } from '../../plan/secrets.ts'
import { plain } from '../../platforms/platform.ts'
import type { RehearsalPlace } from '../../platforms/rehearsal.ts'
import type { Migrate, ReleaseSite } from '../site.ts'
import { unmet } from '../verbs/judge.ts'
import type { After, Back, BackArgs, JudgeArgs, Judged, PutArgs, RunArgs, StartArgs, StopArgs, UpArgs } from './sentences.ts'
import { insteadOn, rehearsalAt } from './settings.ts'

const only = { none: 'it is gone with the rehearsal' }

/** Whether a step has nothing to do: the release fitted before, or there was no way back. */
function idle(after: After): boolean {
  if (after === null) return false
  const { judged, back } = after as { judged: Judged; back?: Back | null }
  return judged.good || back?.worked === false
}

/** A verb whose steps may turn out to have nothing to do. */
function unlessIdle<A extends Json & { after: After }>(verb: Verb<A, Json, ReleaseSite>): Verb<A, Json, ReleaseSite> {
  const { does } = verb
  return {
    ...verb,
    look: async (args, site, doing) => (idle(args.after) ? { state: { idle: true }, is: 'settled' } : verb.look(args, site, doing)),
    goal: (args, before): Goal => (idle(args.after) ? {} : verb.goal(args, before)),
    ...(does ? { does: (args: A, site: ReleaseSite) => does(args, site) } : {}),
  }
}

const sorted = ({ bundles }: PutArgs) => [...new Set(bundles.map(({ release }) => release))].sort()

/** Put kept releases into a place of their own, led to copies of the data. What an earlier rehearsal left there goes first. */
export const put: Verb<PutArgs & Json, Json, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  undone: 'remove it',
  look: async ({ run }, site, doing) => ({ state: { there: await rehearsalAt(site, run).there(doing) }, is: 'settled' }),
  goal: args => ({ there: sorted(args) }),
  does: ({ run, bundles }, site) => {
    const place = rehearsalAt(site, run)
    return [...place.remove(), ...bundles.flatMap(bundle => place.put(bundle, insteadOn(site, bundle, run)))]
  },
  undo: ({ run }) => ({ verb: 'rehearsal.remove', of: 'rehearsal', args: { run } }),
}

/** Remove a rehearsal, whatever runs or stands there. */
export const removed: Verb<RunArgs, Json, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  look: async ({ run }, site, doing) => ({ state: { gone: await rehearsalAt(site, run).gone(doing) }, is: 'settled' }),
  goal: () => ({ gone: true }),
  does: ({ run }, site) => rehearsalAt(site, run).remove(),
  undo: () => ({ none: 'nobody needs it any more' }),
}

function migrateOf(site: ReleaseSite): Migrate {
  const { migrate } = site.deploy
  if (!migrate) throw new Trouble(5, 'The stack file no longer says how its data is migrated')
  return migrate
}

const onCopy = (argv: readonly string[], { run, bundle }: UpArgs, site: ReleaseSite): Command =>
  rehearsalAt(site, run).once(bundle, migrateOf(site).service, argv)

/** The id that the copy stands at: the last line that the stack's own command prints. */
async function stands(args: UpArgs, site: ReleaseSite, doing: Doing): Promise<string> {
  const asked = onCopy(migrateOf(site).at, args, site)
  const { code, stdout, stderr } = await runCommand(asked, doing)
  if (code !== 0) throw new Trouble(8, `${prints(asked)} exited ${code}: ${stderr}`)
  return stdout.trimEnd().split('\n').at(-1)?.trim() ?? ''
}

/** Where the copy stands; null while the release that can tell is not there. */
async function copyAt(args: UpArgs, site: ReleaseSite, doing: Doing): Promise<Seen> {
  const there = (await rehearsalAt(site, args.run).there(doing)).includes(args.bundle.release)
  return { state: { at: there ? await stands(args, site, doing) : null }, is: 'settled' }
}

/** Migrate the copy to where live data stands. */
export const migrated: Verb<UpArgs & Json, Json, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  undone: 'it is gone with the copy',
  async look(args, site, doing) {
    const seen = await copyAt(args, site, doing)
    const { at } = seen.state as { at: string | null }
    return { ...seen, because: `the copy stands at ${at}, and live data at ${args.to}: a newer backup may have what is missing` }
  },
  goal: ({ to }) => ({ at: to }),
  does: (args, site) => {
    const does = onCopy(migrateOf(site).up, args, site)
    return [{ kind: 'command', prints: prints(does), run: async doing => void (await mustRun(does, doing)) }]
  },
  undo: () => only,
}

/** Migrate the copy back to where the former release knew it; that it does not work is a finding. */
export const back = unlessIdle<BackArgs & Json>({
  effect: 'write',
  half: 'again',
  undone: 'it is gone with the copy',
  look: copyAt,
  goal: () => ({ at: { measured: 'at' } }),
  does: (args, site) => {
    const argv = (migrateOf(site).down ?? []).map(word => word.replaceAll('{to}', args.to))
    const does = onCopy(argv, args, site)
    return [{ kind: 'command', prints: prints(does), run: doing => goneBack(does, args, site, doing) }]
  },
  undo: () => only,
})

async function goneBack(does: Command, args: UpArgs, site: ReleaseSite, doing: Doing): Promise<Back> {
  const was = await stands(args, site, doing)
  const because = await mustRun(does, doing).then(
    () => null,
    (error: unknown) => {
      doing.signal.throwIfAborted()
      if (error instanceof CommandFailed) return redact(error.message)
      throw error
    },
  )
  const at = await stands(args, site, doing)
  const worked = because === null && at === args.to
  return { was, at, worked, because: because ?? (worked ? null : `the data stands at ${at} after it, and not at ${args.to}`) }
}

/** Start a release on the copy. */
export const started = unlessIdle<StartArgs & Json>({
  effect: 'write',
  half: 'again',
  undone: 'remove it',
  look: async ({ run }, site, doing) => ({ state: { release: (await rehearsalAt(site, run).state(doing)).release }, is: 'settled' }),
  goal: ({ bundle }) => ({ release: bundle.release }),
  does: ({ run, bundle, without }, site) => rehearsalAt(site, run).start(bundle, without),
  undo: ({ run }) => ({ verb: 'rehearsal.remove', of: 'rehearsal', args: { run } }),
})

/** End what runs of a rehearsal, so that the data may be migrated under it. */
export const stopped = unlessIdle<StopArgs & Json>({
  effect: 'write',
  half: 'again',
  undone: 'it is gone with the rehearsal',
  look: async ({ run }, site, doing) => ({ state: { release: (await rehearsalAt(site, run).state(doing)).release }, is: 'settled' }),
  goal: () => ({ release: null }),
  does: ({ run }, site) => rehearsalAt(site, run).stop(),
  undo: () => only,
})

/** When a judgement began; what is one step to the engine is one `doing`. */
const begun = new WeakMap<Doing, number>()

/** Wait for the verdict on a release that runs on the copy: fit and right, or not. Either is an answer. */
export const judged = unlessIdle<JudgeArgs & Json>({
  effect: 'read',
  half: 'again',
  async look(args, site, doing) {
    const since = begun.get(doing) ?? performance.now()
    begun.set(doing, since)
    const { because, settled, log, ...found } = await fitness(args, site, doing)
    const tookMs = Math.round(performance.now() - since)
    const late = tookMs > args.budgetMs
    const why = because !== null && late && !settled ? `not within ${args.budgetMs / 1_000} s: ${because}` : because
    const state: Judged = { judged: settled || late, good: because === null, because: why, tookMs, log, ...found }
    return { state: plain(state), is: state.judged ? 'settled' : 'moving', ...(why === null ? {} : { because: why }) }
  },
  goal: () => ({ judged: true }),
  undo: () => ({ none: 'it only looks' }),
})

type Fitness = Pick<Judged, 'because' | 'asked' | 'unasked' | 'log'> & { readonly settled: boolean }

async function fitness(args: JudgeArgs, site: ReleaseSite, doing: Doing): Promise<Fitness> {
  const place = rehearsalAt(site, args.run)
  const verdict = await place.verdict(args.bundle, args.without, args.about.since, doing)
  if (verdict.is !== 'settled')
    return { settled: verdict.is === 'doomed', because: verdict.because ?? 'it is not healthy', asked: 0, unasked: [], log: verdict.look ?? null }
  return { log: null, ...(await smoked(place, args, site, doing)) }
}

/** Every smoke test that can be asked without a front door. */
async function smoked(place: RehearsalPlace, { bundle }: JudgeArgs, site: ReleaseSite, doing: Doing): Promise<Omit<Fitness, 'log'>> {
  const unasked: string[] = []
  let asked = 0
  for (const smoke of site.deploy.smoke) {
    const service = smoke.kind === 'http' ? answering(smoke.service, site) : smoke.service
    const door = smoke.kind === 'http' && service !== undefined ? await place.door(service, doing) : null
    if (smoke.kind === 'http' && door === null) {
      unasked.push(smoke.path)
      continue
    }
    const because = await unmet(
      smoke,
      { door: door ?? { url: '', headers: {} }, headers: {}, once: (of, argv) => place.once(bundle, of, argv) },
      doing,
    )
    doing.signal.throwIfAborted()
    // Until its time is over a test may still come to pass.
    if (because) return { settled: false, because, asked, unasked }
    asked += 1
  }
  return { settled: true, because: null, asked, unasked }
}

/** Who answers a request of the front door: whom the stack file names, or the only service that is behind it. */
function answering(named: string | undefined, { services }: ReleaseSite): string | undefined {
  const split = [...services.values()].filter(({ traffic }) => traffic === 'split')
  return named ?? (split.length === 1 ? split[0]?.name : undefined)
}
