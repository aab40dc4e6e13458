import { userInfo } from 'node:os'
import { text } from '../lib/run/options.ts'
import { runbook } from '../lib/run/runbook.ts'

const FORMATS = ['crontab', 'systemd', 'kubernetes'] as const

export default runbook(import.meta, {
  name: 'schedule',
  does: "Prints the stack's schedule for cron, systemd or Kubernetes; it installs nothing.",
  lease: 'none',
  unfinished: 'ask',
  members: 'none',

  options: {
    format: text({ ask: 'For what?', help: 'for what it is printed', shows: FORMATS.join('|'), choices: () => FORMATS.map(value => ({ value })) }),
    image: text({ help: 'image of the toolkit that a CronJob runs', shows: 'name' }),
  },

  async inspect({ options, stack }) {
    const { printSchedule } = await import('../lib/stack/schedule.ts')
    return printSchedule(stack, { format: options.format ?? 'crontab', image: options.image ?? 'runbooks:0.1.0', user: userInfo().username })
  },

  ends: ({ facts }) => ({
    says: `${facts.count} ${facts.count === 1 ? 'line' : 'lines'} of schedule; nothing was installed`,
    product: facts.text,
    result: { format: facts.format, text: facts.text },
  }),
})
