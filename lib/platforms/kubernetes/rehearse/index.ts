import type { Action, Doing } from '../../../plan/plan.ts'
import type { Door } from '../../platform.ts'
import type { RehearsalPlace, Rehearsals } from '../../rehearsal.ts'
import { onceFrom } from '../once.ts'
import { MARK, type Site } from '../site.ts'
import { slotState } from '../standing.ts'
import { givenIn, keptWhole } from './given.ts'
import { asideName, HOSTNAME } from './pods.ts'
import { put } from './put.ts'
import { recordedOf, recordName, recordsOf } from './record.ts'
import { lookAside, verdictAside } from './seen.ts'
import { endPods, leftOf, removeAside, startPods } from './things.ts'

/** Rehearsals in the namespace of the stack, because data can be reached from nowhere else: pods, settings and services of their own beside everything. */
export const rehearsalsOf = (site: Site): Rehearsals => ({
  given: async (bundle, doing) => givenIn(await keptWhole(site, bundle, doing)),
  at: run => placeOf(site, run),
})

const act = (kind: 'transfer' | 'command', prints: string, work: (doing: Doing) => Promise<void>): Action => ({
  kind,
  prints,
  async run(doing) {
    await work(doing)
    return undefined
  },
})

function placeOf(site: Site, run: string): RehearsalPlace {
  const named = (release: string) => `${site.kube.namespace}/${recordName(run, release)}`
  return {
    put: (bundle, instead) => [
      act(
        'transfer',
        `Secret ${site.kube.namespace}/runbooks-release-${bundle.release} → ${named(bundle.release)}, with its own ${instead.names.join(', ')}`,
        doing => put(site, run, bundle, instead, doing),
      ),
    ],
    there: async doing => (await recordsOf(site, run, doing)).sort(),
    start: (bundle, without) => [
      act('command', `${site.kube.typed('create', '-f', '-')} < pods of ${named(bundle.release)}`, doing =>
        startPods(site, run, bundle, without, doing),
      ),
    ],
    stop: () => [act('command', site.kube.typed('delete', 'pods', '-l', `${MARK.rehearsal}=${run}`), doing => endPods(site, run, doing))],
    state: async doing => slotState(await lookAside(site, run, doing)),
    verdict: (bundle, without, since, doing) => verdictAside(site, run, bundle, without, since, doing),
    once: (bundle, service, argv) => onceFrom(site, bundle, service, argv, doing => recordedOf(site, run, bundle.release, service, doing)),
    door: (service, doing) => doorOf(site, run, service, doing),
    remove: () => [
      act('command', site.kube.typed('delete', 'pods,services,configmaps,secrets', '-l', MARK.rehearsal), doing => removeAside(site, doing)),
    ],
    gone: async doing => (await leftOf(site, doing)).length === 0,
  }
}

async function doorOf(site: Site, run: string, service: string, doing: Doing): Promise<Door | null> {
  const port = site.setting.services.find(({ name }) => name === service)?.port
  if (port === undefined) return null
  const here = await site.kube.forwards.to(asideName(service, run, HOSTNAME), port, doing)
  return { url: `http://127.0.0.1:${here}`, headers: {} }
}
