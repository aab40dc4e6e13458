import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'

const FOLDER = join(import.meta.dirname, '../golden/notify')

/** Compares with a golden file, exactly; `UPDATE_GOLDEN=yes` writes it, so that a changed message is a reviewed difference. */
export function expectGolden(name: string, found: unknown): void {
  const file = join(FOLDER, `${name}.json`)
  const text = `${JSON.stringify(found, null, 2)}\n`
  if (process.env.UPDATE_GOLDEN === 'yes') {
    mkdirSync(FOLDER, { recursive: true })
    writeFileSync(file, text)
  }
  expect(text).toBe(readFileSync(file, 'utf8'))
}
