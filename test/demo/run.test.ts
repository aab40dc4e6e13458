import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clearStage, runsOf, strangers } from '../../demo/stage.ts'
import { ROOT } from '../../lib/stack/home.ts'
import { freePort } from '../testbed/ports.ts'

/** A person may have the demo open at its own port. */
const port = await freePort()
const folder = mkdtempSync(join(tmpdir(), 'runbooks-demo-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** As somebody runs it who has other settings of the toolkit in the environment. */
const env = (home: string) => ({
  PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
  HOME: folder,
  RUNBOOKS_HOME: home,
  RUNBOOKS_DRY_RUN: 'true',
  DEMO_PORT: String(port),
})

const demo = (home: string) => spawnSync(process.execPath, ['demo/run.ts'], { cwd: ROOT, env: env(home), encoding: 'utf8', timeout: 280_000 })

describe('the whole demo', () => {
  const home = join(folder, 'home')
  const other = join(home, 'runs/20260101T000000Z-backup-demo-production-r000000')
  let ran: ReturnType<typeof demo>
  beforeAll(() => {
    mkdirSync(other, { recursive: true })
    writeFileSync(join(other, 'journal.jsonl'), '')
    mkdirSync(join(home, 'runs/20260101T000000Z-backup-demo-local-r000000'))
    ran = demo(home)
  }, 300_000)

  test('ends well, and names the folder in which everything is', () => {
    // The version that crashes says why it does; of the demo itself there is nothing.
    expect(ran.stderr.replaceAll(/.*PAYMENT_API_URL.*/g, '')).not.toMatch(/Error|WARN/)
    expect(ran.status).toBe(0)
    expect(ran.stdout).toContain(`Data, backups, journals and reports: ${home}\n`)
  })

  test('goes through the runbooks of data and releases, and each comes to its word', () => {
    const lines = ran.stdout.split('\n')
    const words = lines.flatMap(line => /^([A-Z ]+) demo\/local: .*\(exit (\d+)\)$/.exec(line)?.slice(1, 3).join(' ') ?? [])
    const data = ['DONE 0', 'DONE 0', 'VERIFIED 0', 'CERTIFIED 0', 'DONE 0', 'RESTORED 0', 'TAKEN BACK 0']
    const releases = ['DEPLOYED 0', 'NOT DONE 4', 'ROLLED BACK 0', 'DONE 0', 'DONE 0']
    expect(words).toEqual(['DEPLOYED 0', ...data, ...releases])
    expect(lines.filter(line => line.startsWith('database  equal'))).toHaveLength(2)
  })

  test('prints commands that can be typed again', () => {
    const command = /^\$ (.*backup-list.*)$/m.exec(ran.stdout)?.[1] ?? 'false'
    const again = spawnSync('/bin/sh', ['-c', command], { cwd: ROOT, env: { ...env(home), RUNBOOKS_DRY_RUN: '' }, encoding: 'utf8' })
    expect(again.stdout).toContain('CERTIFIED')
    expect(again.status).toBe(0)
  })

  test('touches only its own folder and its own runs', () => {
    expect(readFileSync(join(other, 'journal.jsonl'), 'utf8')).toBe('')
    expect(existsSync(join(home, 'runs/20260101T000000Z-backup-demo-local-r000000'))).toBe(false)
    expect(readdirSync(home).sort()).toEqual(['demo', 'runs'])
    expect(strangers(join(home, 'demo'))).toEqual([])
  })

  test('tells how to remove what it made, and that removes it', () => {
    const command = /(rm -rf .*)$/m.exec(ran.stdout)?.[1] ?? 'false'
    expect(spawnSync('/bin/sh', ['-c', command]).status).toBe(0)
    expect(runsOf(home)).toEqual([])
    expect(readdirSync(home)).toEqual(['runs'])
  })
})

describe('somebody else’s files', () => {
  test('a demo folder with files that the demo did not make is left alone', () => {
    const home = join(folder, 'taken')
    mkdirSync(join(home, 'demo'), { recursive: true })
    writeFileSync(join(home, 'demo/thesis.txt'), 'mine')
    const ran = demo(home)
    expect(ran.status).toBe(3)
    expect(ran.stdout).toContain('thesis.txt')
    expect(readFileSync(join(home, 'demo/thesis.txt'), 'utf8')).toBe('mine')
  })

  test('runs of other stacks whose names begin alike are not runs of the demo', () => {
    const home = join(folder, 'alike')
    const names = [
      '20260101T000000Z-backup-demo-local-eu-r000000',
      '20260101T000000Z-backup-shop-demo-local-r00000',
      '20260101T000000Z-backup-demo-local-r1',
    ]
    for (const name of names) mkdirSync(join(home, 'runs', name), { recursive: true })
    clearStage(home)
    expect(readdirSync(join(home, 'runs')).sort()).toEqual([...names].sort())
  })
})
