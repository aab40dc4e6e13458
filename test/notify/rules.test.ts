import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withSample } from '../../lib/backups/metrics.ts'
import { describeWith } from '../testbed/index.ts'
import { find } from '../testbed/tools.ts'

const ALERTS = join(import.meta.dirname, '../../docs/alerts')

function promtool(argv: readonly string[], input = '') {
  const { status, stdout, stderr } = spawnSync(find('promtool') ?? '', argv, { cwd: ALERTS, input, encoding: 'utf8' })
  return { status, said: stdout + stderr }
}

describeWith('promtool', 'the alert rules', () => {
  test('are read by Prometheus', () => {
    expect(promtool(['check', 'rules', 'backup-rules.yml'])).toMatchObject({ status: 0, said: expect.stringContaining('7 rules found') })
  })

  test('fire when they should, and not before', () => {
    const ran = promtool(['test', 'rules', 'backup-rules.test.yml'])
    expect(ran.status, ran.said).toBe(0)
  })

  test('are held by those tests: a rule that is turned round is noticed', () => {
    const folder = mkdtempSync(join(tmpdir(), 'runbooks-rules-'))
    try {
      const rules = readFileSync(join(ALERTS, 'backup-rules.yml'), 'utf8')
      writeFileSync(join(folder, 'backup-rules.yml'), rules.replace('seconds > runbooks_data', 'seconds < runbooks_data'))
      writeFileSync(join(folder, 'test.yml'), readFileSync(join(ALERTS, 'backup-rules.test.yml'), 'utf8'))
      expect(promtool(['test', 'rules', join(folder, 'test.yml')]).status).toBe(1)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('use only metrics that are written, and what is written is in the right format', () => {
    const sample = { stack: 'demo', environment: 'local', exit: 0, endedMs: 2_000, began: { atMs: 1_000, tookMs: 1_000 }, dataLossMs: 21_600_000 }
    const text = withSample(withSample('', { ...sample, runbook: 'backup', result: { storedBytes: 7 } }), {
      ...sample,
      runbook: 'restore-drill',
      result: { good: true },
    })
    expect(promtool(['check', 'metrics'], text)).toEqual({ status: 0, said: '' })
    const used = readFileSync(join(ALERTS, 'backup-rules.yml'), 'utf8').match(/runbooks_[a-z_]+/g) ?? []
    expect([...new Set(used)].filter(metric => !text.includes(`# TYPE ${metric} gauge`))).toEqual([])
  })
})
