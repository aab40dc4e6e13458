import { describe, expect, test } from 'vitest'
import { backupAgeVerdict } from '../../lib/checks/backup-age.ts'
import type { Finding } from '../../lib/checks/check.ts'
import { dfOf, diskVerdict } from '../../lib/checks/disk.ts'
import { byVerdict, distinct, exitOf, healthSentence, onlyThese } from '../../lib/checks/findings.ts'
import { meminfo, memoryVerdict } from '../../lib/checks/memory.ts'
import { replicaSetVerdict } from '../../lib/checks/mongodb.ts'
import { type PostgresState, postgresVerdict } from '../../lib/checks/postgres.ts'
import { prometheusVerdict } from '../../lib/checks/prometheus.ts'
import { spokenFault } from '../../lib/checks/reach.ts'
import { redisVerdict } from '../../lib/checks/redis.ts'
import { serviceFindings } from '../../lib/checks/service-findings.ts'

describe('disk', () => {
  const GB = 1e9
  const room = (free: number, inodes: { total: number; free: number } | null = null) => ({ totalBytes: 100 * GB, freeBytes: free, inodes })
  const least = { freePercent: 10, freeBytes: 5 * GB }

  test('bytes, percent and inodes each have a limit, and the cause is the one that is crossed', () => {
    expect(diskVerdict(room(10 * GB), least)).toMatchObject({ is: 'healthy', says: '10.0 GB free of 100 GB (10 %)' })
    expect(diskVerdict(room(9.99 * GB), least)).toMatchObject({ is: 'unhealthy', says: '10.0 GB free of 100 GB (9.9 %): less than 10 %' })
    expect(diskVerdict(room(4 * GB), { freePercent: 1, freeBytes: 5 * GB }).says).toContain('less than 5.0 GB')
    expect(diskVerdict(room(50 * GB, { total: 1000, free: 10 }), least).says).toContain('only 1 % of its inodes: there are too many files')
  })

  test('what df prints is read, whatever the name of the device; anything else is no figure', () => {
    const head = 'Filesystem     1024-blocks      Used Available Capacity Mounted on\n'
    expect(dfOf(`${head}/dev/vda1         103081248  60000000  38000000      62% /\n`)).toEqual({ total: 98_000_000, free: 38_000_000 })
    expect(dfOf(`${head}//nas/my share   1000  400  600  40% /mnt/my share\n`)).toEqual({ total: 1000, free: 600 })
    expect(dfOf(`${head}overlay 0 0 0 - /\n`)).toEqual({ total: 0, free: 0 })
    expect(() => dfOf(`${head}df: nonsense`)).toThrow('df printed something else')
  })
})

test('memory: what is available counts, not what is free', () => {
  const found = meminfo('MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:    8000000 kB\n')
  expect(memoryVerdict(found, 10)).toMatchObject({ is: 'healthy', measured: { availablePercent: 50 } })
  expect(memoryVerdict(found, 51)).toMatchObject({ is: 'unhealthy', says: expect.stringContaining('(50 %): less than 51 %') })
  expect(() => meminfo('MemTotal: 5 kB')).toThrow('/proc/meminfo says something else')
})

describe('postgres', () => {
  const primary: PostgresState = {
    version: '17.2',
    standby: false,
    receiving: false,
    lagSeconds: null,
    connections: 8,
    maxConnections: 100,
    standbys: [],
  }
  const limits = { lagMs: 60_000, standbys: 0, connectionsPercent: 90 }
  const follower = { name: 'replica1', state: 'streaming', lagSeconds: 0.2, lagBytes: 1_000 }

  test.each([
    ['a primary alone', primary, limits, 'healthy', 'PostgreSQL 17.2: answers; 8 of 100 connections'],
    ['too many connections', { ...primary, connections: 91 }, limits, 'unhealthy', '91 of 100 connections in use (91 %)'],
    ['a standby that is missing', primary, { ...limits, standbys: 1 }, 'unhealthy', '0 of 1 standby attached'],
    ['a standby that follows', { ...primary, standbys: [follower] }, { ...limits, standbys: 1 }, 'healthy', 'PostgreSQL 17.2: primary of 1 standby'],
    [
      'a standby that lags',
      { ...primary, standbys: [{ ...follower, lagSeconds: 95, lagBytes: 5e8 }] },
      limits,
      'unhealthy',
      'replica1 is 95 s (500 MB) behind',
    ],
    ['itself a standby', { ...primary, standby: true, receiving: true }, limits, 'healthy', 'standby, 0 s behind'],
    ['itself behind', { ...primary, standby: true, receiving: true, lagSeconds: 61 }, limits, 'unhealthy', '61 s behind its primary, more than 60 s'],
    ['itself cut off', { ...primary, standby: true }, limits, 'unhealthy', 'not attached to its primary'],
  ] as const)('%s', (_, state, wanted, is, says) => {
    expect(postgresVerdict(state, wanted)).toMatchObject({ is, says: expect.stringContaining(says) })
  })
})

describe('redis', () => {
  const info =
    (more: Record<string, string> = {}) =>
    (field: string) =>
      ({ redis_version: '7.0.15', role: 'master', used_memory: '1000000', maxmemory: '0', aof_enabled: '0', rdb_last_bgsave_status: 'ok', ...more })[
        field
      ] ?? ''
  const limits = { aof: false, memoryPercent: 90 }
  const full = { used_memory: '950', maxmemory: '1000' }

  test.each([
    ['alone', {}, limits, 'healthy', 'Redis 7.0.15, primary: 1.0 MB in use, no limit, no append-only file'],
    ['full, evicting nothing', { ...full, maxmemory_policy: 'noeviction' }, limits, 'unhealthy', '95 % of its memory limit in use'],
    ['a full cache', { ...full, maxmemory_policy: 'allkeys-lru' }, limits, 'healthy', '950 B of 1.0 kB in use'],
    ['a failed snapshot', { rdb_last_bgsave_status: 'err' }, limits, 'unhealthy', 'its last snapshot failed'],
    ['no append-only file', {}, { ...limits, aof: true }, 'unhealthy', 'its append-only file is off'],
    ['a full disk', { aof_enabled: '1', aof_last_write_status: 'err' }, limits, 'unhealthy', 'cannot write its append-only file'],
    ['loading', { loading: '1' }, limits, 'unhealthy', 'still loading'],
    [
      'cut off',
      { role: 'slave', master_link_status: 'down', master_host: 'db1', master_port: '6379', master_link_down_since_seconds: '42' },
      limits,
      'unhealthy',
      'without its primary db1:6379 for 42 s',
    ],
  ] as const)('%s', (_, more, wanted, is, says) => {
    expect(redisVerdict(info(more), wanted)).toMatchObject({ is, says: expect.stringContaining(says) })
  })
})

describe('a replica set of MongoDB', () => {
  const now = Date.parse('2026-11-21T12:00:00Z')
  const member = (name: string, stateStr: string, ago = 0) => ({ name, stateStr, optimeDate: new Date(now - ago * 1000) })
  const set = (...members: ReturnType<typeof member>[]) => replicaSetVerdict({ set: 'rs0', members }, 60_000)

  test('has a primary, and members that follow it', () => {
    expect(set(member('a', 'PRIMARY'), member('b', 'SECONDARY', 3), member('c', 'ARBITER'))).toMatchObject({
      is: 'healthy',
      says: 'rs0: 3 members, primary a, at most 3 s behind',
    })
    expect(set(member('a', 'SECONDARY'), member('b', 'SECONDARY'))).toMatchObject({
      is: 'unhealthy',
      says: 'rs0 has no primary, so nothing can be written',
    })
    expect(set(member('a', 'PRIMARY'), member('b', 'SECONDARY', 61)).says).toBe('b is 61 s behind')
    expect(set(member('a', 'PRIMARY'), { ...member('b', '(not reachable/healthy)'), lastHeartbeatMessage: 'refused' } as never).says).toContain(
      '(refused)',
    )
  })
})

describe('prometheus', () => {
  const target = (job: string, health: string, lastError = '') => ({ health, lastError, labels: { job, instance: `${job}:9100` } })
  const alert = (alertname: string, state = 'firing', more = {}) => ({
    state,
    labels: { alertname, ...more },
    annotations: { summary: `${alertname} says` },
  })

  test.each([
    [[target('a', 'up')], [], {}, 'healthy', '1 of 1 target up, no alert fires'],
    [[target('a', 'up'), target('b', 'down', 'refused')], [], {}, 'unhealthy', '1 target is down: b b:9100 (refused)'],
    [[target('a', 'up'), target('b', 'down')], [], { jobs: ['a'] }, 'healthy', '1 of 1 target up'],
    [[target('a', 'up')], [], { jobs: ['a', 'api'] }, 'unhealthy', 'the job api has no target'],
    [[target('a', 'up')], [alert('Down')], {}, 'unhealthy', '1 alert fires: Down (Down says)'],
    [[target('a', 'up')], [alert('Down', 'pending'), alert('Watchdog')], {}, 'healthy', 'no alert fires'],
    [[target('a', 'up')], [alert('Down', 'firing', { stack: 'other' })], { labels: { stack: 'shop' } }, 'healthy', 'no alert fires'],
    [[target('a', 'unknown')], [], {}, 'unknown', 'none of 1 target was scraped yet'],
    [[], [], {}, 'unhealthy', 'it watches nothing'],
  ] as const)('%#: %j %j', (targets, alerts, wanted, is, says) => {
    expect(prometheusVerdict(targets, alerts, wanted)).toMatchObject({ is, says: expect.stringContaining(says) })
  })

  test('of many alerts the first are named', () => {
    const many = Array.from({ length: 12 }, (_, n) => alert(`A${n}`))
    expect(prometheusVerdict([target('a', 'up')], many).says).toMatch(/^12 alerts fire: A0 \(A0 says\), .*, A4 \(A4 says\) and 7 more$/)
  })
})

test('a backup is as old as its beginning, and none is none', () => {
  const now = Date.parse('2026-11-21T12:00:00Z')
  const found = (newest: string | null, hours?: number) => backupAgeVerdict(newest, hours === undefined ? undefined : hours * 3_600_000, now)
  expect(found('2026-11-21T06:00:00Z', 6)).toMatchObject({ is: 'healthy', measured: { ageSeconds: 21_600, objectiveSeconds: 21_600 } })
  expect(found('2026-11-21T05:59:59Z', 6)).toMatchObject({
    is: 'unhealthy',
    says: 'the newest sound backup is 6 h 00 min old; the stack allows 6 h 00 min',
  })
  expect(found('2020-01-01T00:00:00Z')).toMatchObject({ is: 'healthy' })
  expect(found(null)).toMatchObject({ is: 'unhealthy', says: 'there is no sound backup' })
})

test('services of a platform: what only runs is never called healthy', () => {
  const one = { service: 'api', instances: 2, healthy: 2, restarts: 0 }
  const found = serviceFindings([
    one,
    { ...one, service: 'chat', healthy: 1, restarts: 3, why: 'exited 137, out of memory' },
    { ...one, service: 'worker', healthy: 0, running: 2 },
    { ...one, service: 'stream', healthy: 0, running: 0 },
  ])
  expect(found.map(({ name, is, says }) => [name, is, says])).toEqual([
    ['api', 'healthy', '2 of 2 healthy'],
    ['chat', 'unhealthy', '1 of 2 healthy, 3 restarts: exited 137, out of memory'],
    ['worker', 'unknown', '2 running, no health check'],
    ['stream', 'unhealthy', '0 of 2 healthy'],
  ])
})

test('what a tool says in words is unhealthy only where somebody answered; a refused key is ours', () => {
  const is = (message: string) => spokenFault(new Error(message)).is
  expect(is('connection to server at "db" failed: FATAL: sorry, too many clients already')).toBe('unhealthy')
  expect(is('Could not connect to Redis at 127.0.0.1:1: Connection refused')).toBe('unhealthy')
  expect(is('The service postgres cannot be entered: service "postgres" is not running')).toBe('unhealthy')
  expect(is('PostgreSQL refuses the user or password of DB_URL: password authentication failed')).toBe('unknown')
  expect(is('Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?')).toBe('unknown')
  expect(is('could not translate host name "db" to address: Temporary failure in name resolution')).toBe('unknown')
  expect(is('connection to server at "db", port 5432 failed: timeout expired')).toBe('unknown')
})

test('the worst finding decides the exit code: unhealthy before unknown', () => {
  const finding = (is: Finding['is']) => ({ name: is, kind: 'toy', is, says: is, tookMs: 0 })
  const [good, bad, blind] = [finding('healthy'), finding('unhealthy'), finding('unknown')]
  expect([[], [good], [good, blind], [good, blind, bad]].map(exitOf)).toEqual([0, 0, 8, 7])
  expect(healthSentence([good, blind, bad])).toBe('1 of 3 healthy, 1 unhealthy, 1 could not be looked at')
  expect(byVerdict([good, blind, good]).healthy).toHaveLength(2)
})

test('checks are chosen by name, and a name is one check', () => {
  const check = (name: string) => ({ name, kind: 'http', limitMs: 1, look: async () => ({ is: 'healthy' as const, says: '' }) })
  const all = [check('a'), check('b')]
  expect(onlyThese(all, ['b']).map(({ name }) => name)).toEqual(['b'])
  expect(onlyThese(all, [])).toBe(all)
  expect(() => onlyThese(all, ['c'])).toThrow('There is no check "c"; there are a, b')
  expect(() => distinct([...all, check('a')])).toThrow('Two checks are named "a"; give the http check another name')
})
