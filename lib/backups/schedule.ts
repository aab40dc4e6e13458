import { CronExpressionParser } from 'cron-parser'

/** One line of a stack's schedule: a runbook at the times of a cron expression, in the stack's time zone. */
export type Schedule = { readonly runbook: string; readonly cron: string; readonly options?: readonly string[] }

/** What a schedule is printed for. */
export type Scheduled = {
  readonly stack: string
  readonly environment: string
  readonly timezone: string
  readonly schedules: readonly Schedule[]
  /** Folder of the clone, RUNBOOKS_HOME and RUNBOOKS_CONFIG, as absolute paths. */
  readonly root: string
  readonly home: string
  readonly config: string
  /** The user that systemd runs it as. */
  readonly user: string
  /** The image that a CronJob runs. */
  readonly image: string
  /** Where a CronJob runs: its namespace and account, and whether its pods enter others, for which they need a token. */
  readonly cluster?: { readonly namespace: string; readonly account: string; readonly enters: boolean }
}

type Fields = {
  minute: readonly number[]
  hour: readonly number[]
  dayOfMonth: readonly number[]
  month: readonly number[]
  dayOfWeek: readonly number[]
}

/** The values of each field; throws when the expression is none. */
export function cronFields(cron: string): Fields {
  if (cron.trim().split(/\s+/).length !== 5) throw new RangeError('a cron expression has five fields: minute, hour, day of month, month, day of week')
  const { minute, hour, dayOfMonth, month, dayOfWeek } = CronExpressionParser.parse(cron).fields
  const numbers = (values: readonly unknown[]) => values.filter(value => typeof value === 'number')
  return {
    minute: numbers(minute.values),
    hour: numbers(hour.values),
    dayOfMonth: numbers(dayOfMonth.values),
    month: numbers(month.values),
    dayOfWeek: [...new Set(numbers(dayOfWeek.values).map(day => day % 7))].sort(),
  }
}

/** The longest time between two of these times within four weeks, in milliseconds; infinite for none. */
export function longestGapMs(crons: readonly string[], timezone: string, from = new Date('2026-01-05T00:00:00Z')): number {
  const until = from.getTime() + 28 * 86_400_000
  const times = crons.flatMap(cron => {
    const expression = CronExpressionParser.parse(cron, { tz: timezone, currentDate: from })
    const found: number[] = []
    for (let next = expression.next().getTime(); next <= until && found.length < 50_000; next = expression.next().getTime()) found.push(next)
    return found
  })
  const sorted = [...new Set(times)].sort((a, b) => a - b)
  if (sorted.length < 2) return Number.POSITIVE_INFINITY
  return sorted.slice(1).reduce((longest, time, i) => Math.max(longest, time - (sorted[i] as number)), 0)
}

/** A word of a POSIX shell. */
const word = (text: string) => (/^[\w./:=@,+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)

/** The runbook with absolute paths: a bare `zx` would be run by whatever Node cron finds first. */
function argvOf(at: Scheduled, { runbook, options = [] }: Schedule): string[] {
  const bin = `${at.root}/node_modules/.bin`
  return [
    `${bin}/node`,
    `${bin}/zx`,
    `${at.root}/runbooks/${runbook}.ts`,
    `--stack=${at.stack}`,
    `--environment=${at.environment}`,
    '--yes',
    '--quiet',
    ...options,
  ]
}

/** Lines for crontab. Debian's cron knows no time zone but the machine's, so that must be the stack's. */
export function crontab(at: Scheduled): string {
  const lines = at.schedules.map(schedule => {
    const command = argvOf(at, schedule).map(word).join(' ')
    // A bare % would end the command and begin its input.
    return `${schedule.cron} ${`RUNBOOKS_HOME=${word(at.home)} RUNBOOKS_CONFIG=${word(at.config)} ${command}`.replaceAll('%', '\\%')}`
  })
  return [
    `# ${at.stack}/${at.environment}. These times are ${at.timezone}: the machine's time zone must be it (timedatectl set-timezone ${at.timezone}).`,
    'MAILTO=root',
    ...lines,
    '',
  ].join('\n')
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const two = (n: number) => String(n).padStart(2, '0')
const some = (values: readonly number[], all: number, say: (n: number) => string) => (values.length === all ? '*' : values.map(say).join(','))

/** The times of a cron expression as systemd writes them; two where cron means "either day" (both fields are restricted) and systemd would mean "both". */
export function onCalendar(cron: string, timezone: string): string[] {
  const { minute, hour, dayOfMonth, month, dayOfWeek } = cronFields(cron)
  const [, , date = '', , weekday = ''] = cron.trim().split(/\s+/)
  const time = `${some(hour, 24, two)}:${some(minute, 60, two)}:00 ${timezone}`
  const months = some(month, 12, two)
  const days = date === '*' ? '*' : dayOfMonth.map(two).join(',')
  const week = some(dayOfWeek, 7, day => DAYS[day] ?? '')
  const both = `${week === '*' ? '' : `${week} `}*-${months}-${days} ${time}`
  // As cron has it: a field that begins with a star does not make it "either".
  if (date.startsWith('*') || weekday.startsWith('*')) return [both]
  return [`*-${months}-${days} ${time}`, `${week} *-${months}-* ${time}`]
}

const unitName = (at: Scheduled, schedule: Schedule, i: number) =>
  `runbooks-${at.stack}-${at.environment}-${schedule.runbook}${at.schedules.slice(0, i).some(other => other.runbook === schedule.runbook) ? `-${i + 1}` : ''}`

/** systemd's quoting: `%` and `$` mean something inside ExecStart. */
const unitWord = (text: string) =>
  /^[\w./:=@,+-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`

/** Units with their timers, each behind a line with its file's name. A missed time is caught up after a boot. */
export function systemd(at: Scheduled): string {
  const units = at.schedules.flatMap((schedule, i) => {
    const name = unitName(at, schedule, i)
    const service = [
      `# /etc/systemd/system/${name}.service`,
      '[Unit]',
      `Description=${schedule.runbook} of ${at.stack}/${at.environment}`,
      'Wants=network-online.target',
      'After=network-online.target',
      '',
      '[Service]',
      'Type=oneshot',
      `User=${at.user}`,
      `Environment=${unitWord(`RUNBOOKS_HOME=${at.home}`)} ${unitWord(`RUNBOOKS_CONFIG=${at.config}`)}`,
      `ExecStart=${argvOf(at, schedule).map(unitWord).join(' ')}`,
      '# SIGTERM undoes what was begun; that may take as long as it took.',
      'TimeoutStopSec=1h',
      '',
    ]
    const timer = [
      `# /etc/systemd/system/${name}.timer`,
      '[Unit]',
      `Description=times of ${name}`,
      '',
      '[Timer]',
      ...onCalendar(schedule.cron, at.timezone).map(times => `OnCalendar=${times}`),
      'Persistent=true',
      '',
      '[Install]',
      'WantedBy=timers.target',
      '',
    ]
    return [...service, ...timer]
  })
  const names = at.schedules.map((schedule, i) => `${unitName(at, schedule, i)}.timer`)
  return [...units, `# systemctl daemon-reload && systemctl enable --now ${names.join(' ')}`, ''].join('\n')
}

/** One CronJob a line of the schedule, as YAML (which JSON is part of). Secrets come from the Secret `<stack>-runbooks`. */
export function cronJobs(at: Scheduled): string {
  const { namespace, account, enters } = at.cluster ?? { namespace: `${at.stack}-${at.environment}`, account: undefined, enters: false }
  const labels = { 'app.kubernetes.io/managed-by': 'runbooks', 'app.kubernetes.io/part-of': at.stack }
  const jobs = at.schedules.map((schedule, i) => {
    const name = unitName(at, schedule, i)
    const container = {
      name: 'runbook',
      image: at.image,
      command: argvOf({ ...at, root: '/runbooks' }, schedule),
      env: [
        { name: 'RUNBOOKS_HOME', value: '/state' },
        { name: 'RUNBOOKS_CONFIG', value: '/config' },
        { name: 'HOME', value: '/tmp' },
      ],
      envFrom: [{ secretRef: { name: `${at.stack}-runbooks` } }],
      volumeMounts: [
        { name: 'state', mountPath: '/state' },
        { name: 'config', mountPath: '/config', readOnly: true },
        { name: 'tmp', mountPath: '/tmp' },
      ],
      resources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '1Gi' } },
      securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    }
    const pod = {
      restartPolicy: 'Never',
      ...(account === undefined ? {} : { serviceAccountName: account }),
      automountServiceAccountToken: enters,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, runAsUser: 10001, fsGroup: 10001, seccompProfile: { type: 'RuntimeDefault' } },
      // Runs that died are settled from the shared state in the store, so the local journal may go with its pod.
      containers: [container],
      volumes: [
        { name: 'state', emptyDir: {} },
        { name: 'config', configMap: { name: `${at.stack}-runbooks` } },
        { name: 'tmp', emptyDir: {} },
      ],
      terminationGracePeriodSeconds: 3600,
    }
    return {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name, namespace, labels },
      spec: {
        schedule: schedule.cron,
        timeZone: at.timezone,
        concurrencyPolicy: 'Forbid',
        // By the label `app` the network policies of the stacks know whom it may talk to.
        jobTemplate: { spec: { backoffLimit: 0, template: { metadata: { labels: { ...labels, app: 'runbooks' } }, spec: pod } } },
      },
    }
  })
  return jobs.map(job => `---\n${JSON.stringify(job, null, 2)}\n`).join('')
}
