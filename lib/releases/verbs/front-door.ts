import type { Doing, Json, Verb } from '../../plan/plan.ts'
import { plain } from '../../platforms/platform.ts'
import { type Before, breachOf } from '../breach.ts'
import { figuresOf } from '../flight-record.ts'
import { FrontDoorProbe } from '../probe.ts'
import type { DoorArgs } from '../sentences.ts'
import { platformOf, type ReleaseSite } from '../site.ts'

/** How long the front door is watched before anything moves; then until what was asked is answered, so that a slow one is known to be slow. */
const BASELINE_MS = 1_000

type Recorder = {
  readonly probe: FrontDoorProbe
  before: Before | undefined
  /** When the traffic moved, by the recorder's clock; nothing is judged before. */
  movedMs?: number
}

/** The recorder of a run: begun by its first look, ended with the group that it watches. */
const recorders = new Map<string, Recorder>()

async function recorderOf({ path, perSecond }: DoorArgs, site: ReleaseSite, doing: Doing): Promise<Recorder> {
  const known = recorders.get(doing.run)
  if (known) return known
  const door = await platformOf(site).door(doing)
  const made: Recorder = recorders.get(doing.run) ?? { probe: new FrontDoorProbe(door, path, perSecond), before: undefined }
  recorders.set(doing.run, made)
  return made
}

const heard = new WeakSet<Doing>()

/** The recorder ends with the group that it watches. */
function endWith(doing: Doing, { probe }: Recorder): void {
  if (heard.has(doing)) return
  heard.add(doing)
  doing.signal.addEventListener('abort', () => {
    probe.stop()
    recorders.delete(doing.run)
  })
}

/** Watch the front door: doomed when it is worse than it was before anything moved. */
export const frontDoor: Verb<DoorArgs, Json, ReleaseSite> = {
  effect: 'read',
  half: 'again',
  async look(args, site, doing) {
    const recorder = await recorderOf(args, site, doing)
    endWith(doing, recorder)
    const { before, movedMs, probe } = recorder
    const breach = before && movedMs !== undefined ? breachOf(probe.recent(), probe.nowMs, movedMs, before) : null
    const state = plain({ ...probe.record.figures(), moved: movedMs !== undefined, quarters: probe.record.quarters() })
    return breach === null ? { state, is: 'moving' } : { state, is: 'doomed', because: breach }
  },
  goal: () => ({}),
  undo: () => ({ none: 'it only looks' }),
}

/** Nothing answered before: failures of the first release's first moments are no fall from what was. */
function firstOfAll(probe: FrontDoorProbe): Before {
  probe.countFromFirstGood()
  return { failedShare: 1, p95Ms: Number.POSITIVE_INFINITY }
}

/** Watch the front door for a second, to judge against. */
export const baseline: Verb<DoorArgs, Json, ReleaseSite> = {
  effect: 'read',
  half: 'again',
  async look(args, site, doing) {
    const recorder = await recorderOf(args, site, doing)
    const { probe } = recorder
    const asked = probe.recent().filter(({ atMs }) => atMs < BASELINE_MS)
    const { requests, failed, p95Ms } = figuresOf(asked)
    const over = probe.nowMs >= BASELINE_MS && asked.every(({ open }) => !open)
    if (over && recorder.before === undefined) recorder.before = failed === requests ? firstOfAll(probe) : { failedShare: failed / requests, p95Ms }
    // In place the traffic moves with the instances, from now on.
    if (over && !site.platform?.split) recorder.movedMs = probe.nowMs
    return { state: { over, requests, failed, p95Ms }, is: 'moving' }
  },
  goal: () => ({ over: true }),
  undo: () => ({ none: 'it only looks' }),
}

/** Tells the recorder of a run, where one is at work, that the traffic has moved. */
export function trafficMoved(run: string): void {
  const recorder = recorders.get(run)
  if (recorder) recorder.movedMs = recorder.probe.nowMs
}

/** Lets the recorder of a run judge which took over after the traffic had moved: what was before it does not know, so the limits alone count. */
export function judgeFromNow(run: string): void {
  const recorder = recorders.get(run)
  if (!recorder || recorder.movedMs !== undefined) return
  recorder.movedMs = recorder.probe.nowMs
  recorder.before ??= { failedShare: 0, p95Ms: 0 }
}
