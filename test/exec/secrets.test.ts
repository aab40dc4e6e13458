import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { mustRun, run } from '../../lib/exec/process.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { doing, sh } from './doing.ts'

const AWKWARD = `a'b"c d\ne%f$(id)\`id\`\\é${'!'.repeat(3)}`

test('a secret with quotes, spaces, newlines and % arrives whole, by /dev/fd and by descriptor', async () => {
  const secret = new Secret('awkward', AWKWARD)
  expect(await mustRun({ ...sh('cat /dev/fd/3'), secret }, doing())).toMatchObject({ stdout: AWKWARD })
  expect(await mustRun({ ...sh('cat <&3'), secret }, doing())).toMatchObject({ stdout: AWKWARD })
})

test('a large secret (a key file) arrives whole', async () => {
  const value = 'k'.repeat(1_000_000)
  expect((await mustRun({ ...sh('cat /dev/fd/3'), secret: new Secret('large', value) }, doing())).stdout.length).toBe(value.length)
})

test('without a secret, descriptor 3 is closed', async () => {
  expect((await run(sh('cat /dev/fd/3'), doing())).code).not.toBe(0)
})

test('a secret stands in no command line, no environment and no file name while its process runs', async () => {
  const value = `needle-${crypto.randomUUID()}`
  const context = doing()
  const work = mustRun({ ...sh('sleep 0.6; cat /dev/fd/3'), secret: new Secret('needle', value) }, context)
  await expect.poll(() => context.started.length).toBe(1)
  const pid = context.started[0]!.pid
  expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toContain('RUNBOOKS_RUN=')
  for (const name of readdirSync('/proc').filter(entry => /^\d+$/.test(entry))) {
    for (const file of ['cmdline', 'environ']) {
      let text = ''
      try {
        text = readFileSync(`/proc/${name}/${file}`, 'utf8')
      } catch {
        // Gone meanwhile, or not ours.
      }
      expect(text).not.toContain(value)
    }
  }
  expect(readdirSync('/dev/shm').filter(entry => entry.startsWith(`.${process.pid}-`))).toEqual([])
  expect((await work).stdout).toBe(value)
  expect(JSON.stringify(context.started)).not.toContain(value)
})

test('a secret that was put on a command line by mistake is not printed', async () => {
  const secret = new Secret('mistake', 'correct-horse-battery')
  const context = doing()
  await run({ file: 'true', argv: [`--password=${secret.reveal()}`] }, context)
  expect(context.started[0]?.prints).toBe("true '--password=***'".replaceAll("'", ''))
})
