import { spent } from '../plan/durations.ts'
import type { Doing } from '../plan/plan.ts'
import { type Check, LIMIT_MS, type Look } from './check.ts'

/** Which backup is the newest, and how old it may be. */
export type BackupAge = {
  readonly name?: string
  /** When the newest usable recovery point was begun, ISO 8601; null when there is none. Throws when nobody could look. */
  readonly newest: (doing: Doing) => Promise<string | null>
  /** Undefined: one of any age is enough. */
  readonly objectiveMs: number | undefined
  /** Commands that show more. */
  readonly look?: readonly string[]
}

/** Whether there is a backup that is no older than the stack allows. */
export function backupAge({ name = 'backup age', newest, objectiveMs, look = [] }: BackupAge): Check {
  return {
    name,
    kind: 'backup-age',
    limitMs: LIMIT_MS,
    async look(doing) {
      const found = backupAgeVerdict(await newest(doing), objectiveMs)
      return found.is === 'healthy' ? found : { ...found, look }
    },
  }
}

/** The verdict on the newest backup at a moment. */
export function backupAgeVerdict(newest: string | null, objectiveMs: number | undefined, nowMs = Date.now()): Look {
  const objective = objectiveMs === undefined ? {} : { objectiveSeconds: Math.round(objectiveMs / 1000) }
  if (newest === null) return { is: 'unhealthy', says: 'there is no sound backup', measured: objective }
  const age = nowMs - Date.parse(newest)
  const measured = { ageSeconds: Math.round(age / 1000), ...objective }
  const says = `the newest sound backup is ${spent(age)} old${objectiveMs === undefined ? '' : `; the stack allows ${spent(objectiveMs)}`}`
  return { is: objectiveMs === undefined || age <= objectiveMs ? 'healthy' : 'unhealthy', says, measured }
}
