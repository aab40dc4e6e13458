import { cronJobs, crontab, type Schedule, systemd } from '../backups/schedule.ts'
import { Trouble } from '../plan/outcome.ts'
import type { StackInUse } from './describe.ts'
import { configFolder, home, ROOT } from './home.ts'

const PRINTERS = { crontab, systemd, kubernetes: cronJobs } as const

/** The schedule of an environment: its own, or the stack's where it has none. */
export function schedulesOf({ description, environment }: StackInUse): readonly Schedule[] {
  return description.environments[environment]?.schedules ?? description.schedules ?? []
}

/** The account of the overlays that only lists pods and enters those of the databases. */
const ACCOUNT = 'runbooks-backup'

/** Where the CronJobs of an environment run; nothing where it is not on Kubernetes. */
function clusterOf({ description, environment }: StackInUse) {
  const { platform, data } = description.environments[environment] ?? {}
  if (platform?.kind !== 'kubernetes') return {}
  const enters = Object.values(data ?? description.data).some(({ options }) => typeof options.in === 'string')
  return { cluster: { namespace: String(platform.options.namespace), account: ACCOUNT, enters } }
}

/** The text to install. Trouble(2) for another format, Trouble(3) when the stack has no schedule. */
export function printSchedule(at: StackInUse, how: { format: string; image: string; user: string }): { format: string; text: string; count: number } {
  const print = PRINTERS[how.format as keyof typeof PRINTERS]
  if (!print) throw new Trouble(2, `--format=${how.format} is not known; there are ${Object.keys(PRINTERS).join(', ')}`)
  const schedules = schedulesOf(at)
  if (schedules.length === 0)
    throw new Trouble(3, `${at.description.name} has no schedule`, {
      next: ["add schedules: [{ runbook: 'backup', cron: '0 2 * * *' }] to the stack file"],
    })
  const { name: stack, timezone } = at.description
  return {
    format: how.format,
    count: schedules.length,
    text: print({
      stack,
      environment: at.environment,
      timezone,
      schedules,
      root: ROOT,
      home: home(),
      config: configFolder(),
      user: how.user,
      image: how.image,
      ...clusterOf(at),
    }),
  }
}
