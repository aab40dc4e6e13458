import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../runbooks/kit.ts'
import { block, blockNames, read } from './documents.ts'

const PAGE = 'docs/screens.md'
const GOLDEN = join(ROOT, 'test/golden/tmux')
const names = readdirSync(GOLDEN).map(file => file.replace(/\.txt$/, ''))

test('the page shows every captured screen', () => {
  expect(blockNames(PAGE).sort()).toEqual([...names].sort())
})

test.each(names)('the page shows %s as it was captured', name => {
  const captured = readFileSync(join(GOLDEN, `${name}.txt`), 'utf8')
  if (process.env.UPDATE_GOLDEN === 'yes') {
    const shown = block(PAGE, name)
    writeFileSync(
      join(ROOT, PAGE),
      read(PAGE).replace(`\`\`\`text ${name}\n${shown}\`\`\``, () => `\`\`\`text ${name}\n${captured}\`\`\``),
    )
  }
  expect(block(PAGE, name)).toBe(captured)
})
