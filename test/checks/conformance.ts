import { describe, expect, test } from 'vitest'
import { type Check, lookAtAll, VERDICTS } from '../../lib/checks/check.ts'
import type { Secret } from '../../lib/plan/secrets.ts'
import { doing } from '../exec/doing.ts'
import { lookAt } from './kit.ts'

/** A member in the three ways in which a look can end; each is made anew for each test. */
export type Recipe = {
  readonly kind: string
  readonly healthy: () => Check
  readonly unhealthy: () => Check
  /** What the cause must name. */
  readonly cause: RegExp
  readonly blind: () => Check
  readonly reason?: RegExp
  /** What must never be said. */
  readonly secret?: Secret
}

/** What every check does in the same way; no finding holds its secret. */
export function conformance(title: string, recipe: () => Recipe): void {
  const withoutSecret = async (check: Check) => {
    const found = await lookAt(check)
    const { secret } = recipe()
    if (secret) expect(JSON.stringify(found)).not.toContain(secret.reveal())
    return found
  }

  describe(title, () => {
    test('what is well is healthy, and the line says how well', async () => {
      const found = await withoutSecret(recipe().healthy())
      expect(found, found.says).toMatchObject({ kind: recipe().kind, is: 'healthy' })
      expect(found.says.length).toBeGreaterThan(5)
    })

    test('what is not well is unhealthy, with its cause in one line', async () => {
      const found = await withoutSecret(recipe().unhealthy())
      expect(found, found.says).toMatchObject({ kind: recipe().kind, is: 'unhealthy' })
      expect(found.says).toMatch(recipe().cause)
      expect(found.says).not.toMatch(/[\r\n]/)
    })

    test('what could not be looked at is unknown with the reason, neither healthy nor unhealthy', async () => {
      const { blind, reason = /could not look/ } = recipe()
      const found = await withoutSecret(blind())
      expect(found, found.says).toMatchObject({ kind: recipe().kind, is: 'unknown' })
      expect(found.says).toMatch(reason)
    })

    test('figures have names, and all of a finding is plain JSON', async () => {
      const { healthy, unhealthy } = recipe()
      for (const found of await lookAtAll([healthy(), unhealthy()], doing())) {
        expect(VERDICTS).toContain(found.is)
        expect(JSON.parse(JSON.stringify(found))).toEqual(found)
        if (found.measured !== undefined) expect(Object.keys(found.measured as object).join()).not.toMatch(/[^\w,]/)
      }
    })

    test('it may be called again, also at the same time', async () => {
      const check = recipe().healthy()
      const found = await lookAtAll([check, check, check], doing())
      expect(found.map(({ is }) => is)).toEqual(['healthy', 'healthy', 'healthy'])
    })

    test('it has a limit, and a signal ends it', async () => {
      const check = recipe().healthy()
      expect(check.limitMs).toBeGreaterThan(0)
      expect(check.limitMs).toBeLessThanOrEqual(30_000)
      const { abort, ...context } = doing()
      abort.abort(new Error('cancelled'))
      await expect(lookAtAll([check], context)).rejects.toThrow('cancelled')
    })
  })
}
