import { ms, parseSize } from '../plan/durations.ts'
import { parseLocalTime } from '../plan/local-time.ts'
import type { Deploy, Freeze, Smoke } from '../releases/site.ts'
import type { DeployDescription, Environment, StackDescription } from './describe.ts'
import type { Settings } from './settings.ts'

/** An answer of the front door that takes longer is taken for none, unless the stack says otherwise. */
const ANSWER_MS = 5_000
const BAKE_MS = 30_000
const BUDGET_MS = 120_000
/** Requests a second of the flight recorder: a gap of 20 ms is seen. */
const PROBES_PER_SECOND = 60
const KEEP = 5

function smokeOf(smoke: NonNullable<DeployDescription['smoke']>[number]): Smoke {
  if (smoke.kind === 'run') return smoke
  const { kind, path, status = 200, within, contains, service } = smoke
  return { kind, path, status, withinMs: within ? ms(within) : ANSWER_MS, ...(contains ? { contains } : {}), ...(service ? { service } : {}) }
}

/** How releases of a stack are made in an environment, with what was left unsaid. */
export function deployOf({ deploy = {}, services = {} }: StackDescription, environment: Environment): Deploy {
  const split = Object.values(services).find(service => service.traffic === 'split')
  return {
    smoke: (deploy.smoke ?? []).map(smokeOf),
    metrics: (deploy.metrics ?? []).map(smokeOf),
    bakeMs: deploy.bake ? ms(deploy.bake) : BAKE_MS,
    budgetMs: deploy.budget ? ms(deploy.budget) : BUDGET_MS,
    backup: deploy.backup ?? environment.protected === true,
    ...(deploy.migrate ? { migrate: deploy.migrate } : {}),
    ...(deploy.rehearse ? { rehearse: deploy.rehearse } : {}),
    ...(deploy.tests ? { tests: deploy.tests } : {}),
    ...(deploy.scan ? { scan: deploy.scan } : {}),
    ...(deploy.imageSize ? { imageBytes: parseSize(deploy.imageSize) ?? 0 } : {}),
    probe: { path: deploy.probe?.path ?? split?.health ?? '/', perSecond: deploy.probe?.perSecond ?? PROBES_PER_SECOND },
    keep: deploy.keep ?? KEEP,
    ...(deploy.versions ? { versions: deploy.versions } : {}),
  }
}

/** The freezes of an environment; times are of the stack's zone, settings are read now. */
export function freezesOf(environment: Environment, timezone: string, settings: Settings): Freeze[] {
  return (environment.freeze ?? []).map(freeze => {
    if ('whenSet' in freeze) return { kind: 'set', name: freeze.whenSet, set: settings.isTrue(freeze.whenSet), why: freeze.why }
    const at = (text: string) => parseLocalTime(text, timezone) ?? Number.NaN
    return { kind: 'window', fromMs: at(freeze.from), toMs: at(freeze.to), why: freeze.why }
  })
}
