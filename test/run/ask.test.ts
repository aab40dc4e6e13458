import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { canAsk, checkbox, confirm, input, select, type Terminal, typed } from '../../lib/run/ask.ts'

/** A conversation over plain streams: what is typed goes in, what is shown comes out. */
function conversation() {
  const stdin = Object.assign(new PassThrough(), { isTTY: true })
  const stdout = Object.assign(new PassThrough(), { isTTY: true })
  const stderr = Object.assign(new PassThrough(), { isTTY: true })
  let shown = ''
  let result = ''
  stderr.on('data', chunk => {
    shown += chunk
  })
  stdout.on('data', chunk => {
    result += chunk
  })
  const terminal = { stdin, stdout, stderr } as unknown as Terminal
  return {
    terminal,
    shown: () => shown,
    stdout: () => result,
    /** Types once the question stands there. */
    type: async (text: string, after: string | RegExp) => {
      await expect.poll(() => shown, PATIENT).toMatch(after)
      stdin.write(text)
    },
    close: () => stdin.end(),
  }
}

/** Two cores are shared with other test files. */
const PATIENT = { timeout: 15_000 }
const CTRL_C = '\u0003'
const CTRL_D = '\u0004'
const UP = '\u001b[A'
const DOWN = '\u001b[B'

test('Enter is yes only for additive work', async () => {
  for (const additive of [true, false]) {
    const talk = conversation()
    const answer = confirm('Go on?', { additive, terminal: talk.terminal })
    await talk.type('\r', additive ? /Y\/n/ : /y\/N/)
    expect(await answer).toBe(additive)
  }
})

test('a word that is neither yes nor no is not the default', async () => {
  const talk = conversation()
  const answer = confirm('Go on?', { additive: true, terminal: talk.terminal })
  await talk.type('stop\r', /Go on/)
  await talk.type(CTRL_C, /must answer/i)
  expect(await answer).toBeNull()
})

test('Ctrl-C, Ctrl-D, the end of input and a deadline are all no answer, and no answer is falsy', async () => {
  const ways: ((talk: ReturnType<typeof conversation>, stop: AbortController) => Promise<void> | void)[] = [
    talk => talk.type(CTRL_C, /Go on/),
    talk => talk.type(CTRL_D, /Go on/),
    async talk => {
      await expect.poll(talk.shown, PATIENT).toMatch(/Go on/)
      talk.close()
    },
    async (talk, stop) => {
      await expect.poll(talk.shown, PATIENT).toMatch(/Go on/)
      stop.abort()
    },
    (_, stop) => stop.abort(),
  ]
  for (const way of ways) {
    const talk = conversation()
    const stop = new AbortController()
    const answer = confirm('Go on?', { additive: true, terminal: talk.terminal, signal: stop.signal })
    await way(talk, stop)
    expect(await answer).toBeNull()
  }
})

test('only the exact word is typed consent; Enter stops; a near miss is asked again', async () => {
  const right = conversation()
  const yes = typed('Type shop/production to swap:', 'shop/production', { terminal: right.terminal })
  await right.type('shop/prod\r', /Type shop/)
  await right.type('uction\r', /exactly/)
  expect(await yes).toBe(true)

  const empty = conversation()
  const no = typed('Type shop/production to swap:', 'shop/production', { terminal: empty.terminal })
  await empty.type('\r', /Type shop/)
  expect(await no).toBe(false)
})

test('a corrupt point is shown with its reason and cannot be chosen', async () => {
  const talk = conversation()
  const choices = [
    { value: 'a', name: 'Mon 06:00', disabled: 'CORRUPT: media, byte 88,214,016' },
    { value: 'b', name: 'Mon 12:00' },
    { value: 'c', name: 'Mon 18:00' },
  ]
  const answer = select('Which backup?', choices, { terminal: talk.terminal })
  await talk.type(`${UP}\r`, /CORRUPT: media/)
  await talk.type(`${DOWN}${DOWN}\r`, /cannot be selected|disabled/)
  expect(await answer).toBe('c')
})

test('the cursor rests on what was preselected', async () => {
  const talk = conversation()
  const answer = select(
    'What now?',
    ['quit', 'resume'].map(value => ({ value, name: value })),
    { preselected: 'resume', terminal: talk.terminal },
  )
  await talk.type('\r', /What now/)
  expect(await answer).toBe('resume')
})

test('of several parts at least one is taken, and text is checked before it counts', async () => {
  const parts = conversation()
  const chosen = checkbox(
    'Which parts?',
    [
      { value: 'database', name: 'database', checked: true },
      { value: 'media', name: 'media' },
    ],
    { terminal: parts.terminal },
  )
  await parts.type('\r', /Which parts/)
  expect(await chosen).toEqual(['database'])

  const label = conversation()
  const text = input('Label?', { terminal: label.terminal, check: said => (said.includes(' ') ? 'one word' : undefined) })
  await label.type('two words\r', /Label/)
  await label.type('\u0015before-migration\r', /one word/)
  expect(await text).toBe('before-migration')
})

test('questions go to stderr, so that stdout stays the result', async () => {
  const talk = conversation()
  const answer = confirm('Go on?', { additive: true, terminal: talk.terminal })
  await talk.type('y\r', /Go on/)
  expect(await answer).toBe(true)
  expect(talk.stdout()).toBe('')
})

test('nobody is asked unless stdin and stdout are terminals, nor on a CI system that pretends to have one', () => {
  const on = { isTTY: true } as Terminal['stdin'] & Terminal['stdout']
  const off = {} as Terminal['stdin'] & Terminal['stdout']
  expect(canAsk({ stdin: on, stdout: on }, {})).toBe(true)
  expect(canAsk({ stdin: off, stdout: on }, {})).toBe(false)
  expect(canAsk({ stdin: on, stdout: off }, {})).toBe(false)
  expect(canAsk({ stdin: on, stdout: on }, { CI: 'true' })).toBe(false)
})
