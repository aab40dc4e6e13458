import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CronExpressionParser } from 'cron-parser'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { cronFields, cronJobs, crontab, longestGapMs, onCalendar, type Scheduled, systemd } from '../../lib/backups/schedule.ts'
import { copyOf, endWorlds, invoke, newWorld } from '../runbooks/kit.ts'

afterAll(endWorlds)

const at: Scheduled = {
  stack: 'ecosyste',
  environment: 'production',
  timezone: 'Europe/Paris',
  root: '/opt/run books',
  home: '/var/lib/runbooks',
  config: '/etc/runbooks',
  user: 'backup',
  image: 'registry.example/runbooks:1',
  schedules: [
    { runbook: 'backup', cron: '0 2 * * *' },
    { runbook: 'backup', cron: '0 1 * * SUN', options: ["--label=100% Sunday's"] },
    { runbook: 'restore-drill', cron: '30 4 1 * 1' },
  ],
}

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0

describe('cron expressions', () => {
  it('are refused when they are none', () => {
    for (const cron of ['', '* * * *', '61 * * * *', '0 2 * * * *', 'daily', '0 25 * * *']) expect(() => cronFields(cron), cron).toThrow()
  })

  it('tell the longest time between two backups', () => {
    expect(longestGapMs(['0 */6 * * *'], 'UTC')).toBe(6 * 3_600_000)
    expect(longestGapMs(['0 2 * * *', '0 1 * * SUN'], 'UTC')).toBe(25 * 3_600_000 - 3_600_000)
    expect(longestGapMs(['0 2 * * 1-5'], 'UTC')).toBe(3 * 86_400_000)
    expect(longestGapMs([], 'UTC')).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('crontab', () => {
  it('gives the shell the very words, after cron has taken its own escapes away', () => {
    const line =
      crontab(at)
        .split('\n')
        .find(text => text.startsWith('0 1 * * SUN')) ?? ''
    expect(line).not.toMatch(/[^\\]%/)
    const command = line
      .split(' ')
      .slice(5)
      .join(' ')
      .replaceAll('\\%', '%')
      .replace('/opt/run books/node_modules/.bin/node', '/usr/bin/printf')
      .replace("'/usr/bin/printf'", "/usr/bin/printf '%s\\n'")
    const words = execFileSync('sh', ['-c', command], { encoding: 'utf8' }).split('\n')
    expect(words).toContain("--label=100% Sunday's")
    expect(words).toContain('/opt/run books/runbooks/backup.ts')
    expect(words).toContain('--yes')
  })

  it('says that the times are those of the machine', () => {
    expect(crontab(at)).toContain("the machine's time zone must be it (timedatectl set-timezone Europe/Paris)")
  })
})

describe.skipIf(!hasSystemd)('systemd', () => {
  const next = (calendar: string, base: string) => {
    const out = execFileSync('systemd-analyze', ['calendar', `--base-time=${base}`, '--iterations=1', calendar], {
      encoding: 'utf8',
      env: { ...process.env, TZ: 'UTC' },
    })
    const found = /(?:Next elapse|\(in UTC\)): \w+ (\S+) (\S+) UTC/.exec(out)
    return found ? Date.parse(`${found[1]}T${found[2]}Z`) : Number.NaN
  }

  it('runs at the very times of the cron expression', { timeout: 60_000 }, () => {
    const field = (max: number, min = 0) =>
      fc.oneof(
        fc.constant('*'),
        fc.integer({ min, max }).map(String),
        fc.integer({ min: 2, max: 6 }).map(n => `*/${n}`),
      )
    const day = (max: number, min: number) => fc.oneof(fc.constant('*'), fc.integer({ min, max }).map(String))
    const crons = fc.tuple(field(59), field(23), day(28, 1), field(12, 1), day(6, 0)).map(fields => fields.join(' '))
    fc.assert(
      fc.property(crons, cron => {
        const base = new Date('2026-03-03T10:20:30Z')
        const wanted = CronExpressionParser.parse(cron, { tz: 'UTC', currentDate: base }).next().getTime()
        const times = onCalendar(cron, 'UTC').map(calendar => next(calendar, '2026-03-03 10:20:30 UTC'))
        expect(Math.min(...times)).toBe(wanted)
      }),
      { numRuns: 60 },
    )
  })

  it('accepts the units', () => {
    const folder = mkdtempSync(join(tmpdir(), 'runbooks-units-'))
    const text = systemd({ ...at, root: '/usr', user: 'root' }).replaceAll('/usr/node_modules/.bin/node', '/bin/true')
    const files = text
      .split(/^# \/etc\/systemd\/system\//m)
      .slice(1)
      .map(part => ({ name: part.slice(0, part.indexOf('\n')), body: part.slice(part.indexOf('\n') + 1) }))
    expect(files.map(({ name }) => name)).toHaveLength(6)
    for (const { name, body } of files) writeFileSync(join(folder, name), body)
    const ran = spawnSync('systemd-analyze', ['verify', ...files.map(({ name }) => join(folder, name))], {
      encoding: 'utf8',
      env: { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:` },
    })
    rmSync(folder, { recursive: true })
    expect(ran.stderr.split('\n').filter(line => line.includes('runbooks-'))).toEqual([])
  })

  it('doubles the signs that mean something to systemd', () => {
    expect(systemd(at)).toContain(`"--label=100%% Sunday's"`)
  })
})

describe('kubernetes', () => {
  it('gives one CronJob a line, never two at once, in the time zone of the stack', () => {
    const jobs = cronJobs(at)
      .split('---\n')
      .slice(1)
      .map(text => JSON.parse(text))
    expect(jobs.map(job => job.metadata.name)).toEqual([
      'runbooks-ecosyste-production-backup',
      'runbooks-ecosyste-production-backup-2',
      'runbooks-ecosyste-production-restore-drill',
    ])
    for (const job of jobs) expect(job.spec).toMatchObject({ timeZone: 'Europe/Paris', concurrencyPolicy: 'Forbid' })
    expect(jobs[1].spec.jobTemplate.spec.template.spec.containers[0].command).toContain("--label=100% Sunday's")
  })
})

describe('schedule.ts', () => {
  const template = newWorld()
  const stack = (schedules: string, objective = '') => `import { defineStack, directory, mongodb, secret } from 'runbooks'
export default defineStack({ name: 'shop', timezone: 'Europe/Paris', data: { database: mongodb({ uri: secret('NOT_SET'), databases: ['shop'] }) },
  ${objective} schedules: ${schedules}, environments: { local: { stores: [directory({ path: 'backups' })] } } })\n`

  it('prints only the schedule on stdout, and needs no secret', async () => {
    const world = copyOf(template)
    writeFileSync(join(world.config, 'shop.ts'), stack("[{ runbook: 'backup', cron: '0 2 * * *' }]"))
    const ran = await invoke(world, 'schedule')
    expect(ran.exit, ran.stderr).toBe(0)
    expect(ran.stdout).toContain('\n0 2 * * * RUNBOOKS_HOME=')
    expect(ran.stdout).not.toContain('DONE')
    expect(ran.stderr).toContain('DONE shop/local: 1 line of schedule')
  })

  it('refuses a schedule that cannot keep the data-loss objective, and a cron line that is none', async () => {
    const world = copyOf(template)
    writeFileSync(join(world.config, 'shop.ts'), stack("[{ runbook: 'backup', cron: '0 2 * * *' }]", "backups: { objectives: { dataLoss: '6h' } },"))
    const late = await invoke(world, 'schedule')
    expect(late.exit).toBe(2)
    expect(late.stderr.replace(/\s+/g, ' ')).toContain('6h is shorter than the longest time between two backups of local (24 h 00 min)')
    writeFileSync(join(world.config, 'shop.ts'), stack("[{ runbook: 'backup', cron: '0 26 * * *' }]"))
    const wrong = await invoke(world, 'schedule')
    expect(wrong.exit).toBe(2)
    expect(wrong.stderr).toContain('schedules.0.cron')
  })
})
