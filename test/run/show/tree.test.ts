import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Entry } from '../../../lib/plan/journal.ts'
import { plain } from '../../../lib/run/show/style.ts'
import { tree } from '../../../lib/run/show/tree.ts'
import { expectGolden, widest } from '../golden.ts'
import { intent, journal, planned, samples, step, together, verified } from '../samples.ts'

/** Runs entries through a tree and returns what a person finds on the screen when it is over: all that was never erased. */
async function drawn(entries: readonly Entry[], columns = 80, rows = 24): Promise<string> {
  let screen = ''
  const out = {
    isTTY: true,
    columns,
    rows,
    write: (text: string) => {
      screen += text
    },
  }
  const watcher = await tree({ out, style: plain, now: () => Date.parse(entries.at(-1)?.t ?? '') })
  for (const entry of entries) {
    if (entry.at === 'asked') await watcher.pause()
    watcher.saw(entry)
    if (entry.at === 'asked') out.write('? a question\n')
    if (entry.at === 'answered') watcher.resume()
  }
  await watcher.end()
  // biome-ignore lint/suspicious/noControlCharactersInRegex: cursor on and off, and colours, are not what is read.
  return screen.replace(/\u001b\[[\d;?]*[a-zA-Z]/g, '')
}

for (const [name, entries] of Object.entries(samples)) {
  test(`the last frames of ${name} are as reviewed`, async () => {
    const screen = await drawn(entries)
    expectGolden(`tree-${name}`, screen)
    expect(widest(screen)).toBeLessThanOrEqual(80)
  })
}

test('a narrow terminal gets narrow lines', async () => {
  for (const entries of Object.values(samples)) expect(widest(await drawn(entries, 50))).toBeLessThanOrEqual(50)
})

test('what waits behind a question is not drawn before its answer, and nothing is drawn twice', async () => {
  const screen = await drawn(samples.restoreWithGate)
  const [before = '', after = ''] = screen.split('? a question\n')
  expect(before).toContain('✔ Compare with the manifest')
  expect(before).not.toContain('Swap')
  expect(after).toContain('✔ Swap')
  expect(after).not.toContain('Compare')
})

test('a running step shows bytes, rate and time left', async () => {
  let screen = ''
  let t = Date.parse('2025-12-09T02:00:01Z')
  const out = {
    isTTY: true,
    columns: 80,
    rows: 24,
    write: (text: string) => {
      screen += text
    },
  }
  const watcher = await tree({ out, style: plain, now: () => t })
  for (const entry of journal('2025-12-09T02:00:00Z', [
    planned('backup', 'r', 's', 'e', [step('copy/db', 'Copy db')]),
    intent('copy/db', 'Copy db', { after: 1 }),
  ]))
    watcher.saw(entry)
  for (let second = 0; second <= 10; second += 1) {
    watcher.moved('copy/db', { done: second * 1e8, total: 4e9 })
    t += 1000
  }
  t -= 1000
  await expect.poll(() => screen, { timeout: 15_000 }).toContain('1.0 GB of 4.0 GB, 100 MB/s, 30 s left')
  await watcher.end()
})

test('a screen too low for the plan leaves out what still waits', async () => {
  const nodes = [
    together(
      'Copy the parts',
      Array.from({ length: 40 }, (_, i) => step(`copy/${i}`, `Copy part ${i}`)),
    ),
  ]
  const entries = journal('2025-12-09T02:00:00Z', [planned('backup', 'r', 's', 'e', nodes), intent('copy/0', 'Copy part 0'), verified('copy/0', 1)])
  expect((await drawn(entries)).match(/Copy part/g)).toHaveLength(1)
})

/** Draws in a process of its own, interrupts it, and returns how it ended. */
async function interrupted(
  how: 'handles' | 'leaves' | 'does not',
): Promise<{ code: number | null; signal: string | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'drawing.ts'), how], { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', chunk => {
    stdout += chunk
  })
  child.stderr.on('data', chunk => {
    stderr += chunk
  })
  await expect.poll(() => stderr, { timeout: 15_000 }).toContain('Copy database')
  child.kill('SIGINT')
  const [code, signal] = await new Promise<[number | null, string | null]>(resolve => child.on('close', (...end) => resolve(end)))
  return { code, signal, stdout, stderr }
}

test('an interrupted process ends as it would without a tree, and none of its words is lost', async () => {
  const handled = await interrupted('handles')
  expect([handled.code, handled.stdout]).toEqual([130, 'the last line\n'])
  expect(handled.stderr).toContain('said while the tree stands')
  expect(handled.stderr.lastIndexOf('\u001b[?25h')).toBeGreaterThan(handled.stderr.lastIndexOf('\u001b[?25l'))
  const unhandled = await interrupted('does not')
  expect([unhandled.code, unhandled.signal]).toEqual([null, 'SIGINT'])
  expect(unhandled.stderr.lastIndexOf('\u001b[?25h')).toBeGreaterThan(unhandled.stderr.lastIndexOf('\u001b[?25l'))
})

test('words written while a tree stands reach the screen of a process that leaves at once', async () => {
  const left = await interrupted('leaves')
  expect(left.code).toBe(5)
  expect(left.stderr).toContain('said while the tree stands')
})
