import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Check, type Look, lookAtAll } from '../../lib/checks/check.ts'
import { Trouble } from '../../lib/plan/outcome.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { doing } from '../exec/doing.ts'

const check = (name: string, look: Check['look'], limitMs = 60_000): Check => ({ name, kind: 'toy', limitMs, look })
const fine: Look = { is: 'healthy', says: 'fine' }

test('findings come in the order of their checks, whoever is first', async () => {
  const slow = check('slow', async () => {
    await sleep(60)
    return fine
  })
  const found = await lookAtAll([slow, check('quick', async () => fine)], doing())
  expect(found.map(({ name }) => name)).toEqual(['slow', 'quick'])
  expect(found[0]?.tookMs).toBeGreaterThanOrEqual(55)
})

test('all are looked at at once: fifty that wait for each other come to an end', async () => {
  let here = 0
  let open: (() => void) | undefined
  const all = new Promise<void>(resolve => {
    open = resolve
  })
  const together = Array.from({ length: 50 }, (_, n) =>
    check(`c${n}`, async () => {
      here += 1
      if (here === 50) open?.()
      await all
      return fine
    }),
  )
  expect((await lookAtAll(together, doing())).every(({ is }) => is === 'healthy')).toBe(true)
})

test('one that hangs and listens to nothing is unknown at its own limit, and holds nobody up', async () => {
  const deaf = check('deaf', () => new Promise(() => undefined), 80)
  const [first, second] = await lookAtAll([deaf, check('quick', async () => fine)], doing())
  expect(first).toMatchObject({ is: 'unknown', says: 'could not look: no result within 0.08 s' })
  expect(second).toMatchObject({ is: 'healthy' })
})

test('the limit reaches the look as a signal, so that what it began can be ended', async () => {
  let heard = false
  const polite = check(
    'polite',
    ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          heard = true
          reject(signal.reason)
        })
      }),
    50,
  )
  expect((await lookAtAll([polite], doing()))[0]?.is).toBe('unknown')
  expect(heard).toBe(true)
})

test('one that throws, at once or later, is unknown with the reason; never unhealthy, never healthy', async () => {
  const sync = check('sync', () => {
    throw new TypeError('a defect')
  })
  const late = check('late', async () => {
    throw new Trouble(8, 'nobody answers', { look: ['ping db'] })
  })
  const odd = check('odd', () => Promise.reject('a text'))
  expect(await lookAtAll([sync, late, odd], doing())).toMatchObject([
    { is: 'unknown', says: 'could not look: a defect' },
    { is: 'unknown', says: 'could not look: nobody answers', look: ['ping db'] },
    { is: 'unknown', says: 'could not look: a text' },
  ])
})

test('a cause is one line without secrets, however long and wherever it comes from', async () => {
  const password = new Secret('PASSWORD', 'correct horse battery')
  const noisy = check('noisy', async () => ({ is: 'unhealthy', says: `first\n  second ${password.reveal()}\r\n${'x'.repeat(5_000)}` }))
  const [found] = await lookAtAll([noisy], doing())
  expect(found?.says).toMatch(/^first second \*\*\* x+…$/)
  expect(found?.says.length).toBeLessThanOrEqual(400)
})

test('a cancelled look is cancelled, and no finding', async () => {
  const { abort, ...context } = doing()
  const looking = lookAtAll([check('deaf', () => new Promise(() => undefined))], context)
  abort.abort(new Error('Ctrl-C'))
  await expect(looking).rejects.toThrow('Ctrl-C')
})

test('nothing to look at is no finding', async () => {
  expect(await lookAtAll([], doing())).toEqual([])
})
