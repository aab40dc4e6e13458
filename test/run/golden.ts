import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'

const FOLDER = join(import.meta.dirname, '../golden/screens')

/** Compares a screen with its golden file, exactly; `UPDATE_GOLDEN=yes` writes the file, so that a changed screen is a reviewed difference. */
export function expectGolden(name: string, text: string): void {
  const file = join(FOLDER, `${name}.txt`)
  if (process.env.UPDATE_GOLDEN === 'yes') {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  expect(text).toBe(readFileSync(file, 'utf8'))
}

/** The longest line of a screen, in columns of plain text. */
export function widest(text: string): number {
  return Math.max(...text.split('\n').map(line => [...line].length))
}
