import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isLively, plain, styleFor } from '../../../lib/run/show/style.ts'
import { table } from '../../../lib/run/show/table.ts'
import { shorten, widthIn, wrap } from '../../../lib/run/show/text.ts'
import { expectGolden } from '../golden.ts'

test('backups, losses and recoveries are listed as reviewed', () => {
  const backups = table(
    [{ title: '' }, { title: 'when' }, { title: 'age', align: 'right' }, { title: 'size', align: 'right' }, { title: 'proof' }],
    [
      ['❯', 'Tue 00:00', '3 h 12 min', '4.1 GB', 'CERTIFIED, restored in 6 min'],
      ['', 'Mon 12:00', '15 h 12 min', '2.0 GB', 'VERIFIED  ! half the usual size'],
      ['', 'Mon 06:00', '21 h 12 min', '4.1 GB', 'CORRUPT: media, byte 88,214,016. Cannot be chosen.'],
    ],
  )
  const loss = table(
    [{ title: '' }, { title: 'now', align: 'right' }, { title: 'backup', align: 'right' }, { title: 'you lose', align: 'right' }, { title: '' }],
    [
      ['users', '48,201', '48,102', '99', ''],
      ['checkins', '912,440', '911,236', '1,204', 'newest now 03:11:58'],
      ['名簿', '3,402', '3,399', '3', ''],
    ],
    { indent: 2 },
  )
  const recovery = table(
    [{ title: 'step' }, { title: 'before' }, { title: 'expected' }, { title: 'observed' }, { title: 'verdict' }],
    [
      ['start/green', 'absent', '2 healthy', '2 healthy', 'done'],
      [
        'swap/database',
        '{"swapped":0,"of":44}',
        '{"swapped":44,"of":44,"names":"__before_q8d1"}',
        '{"swapped":12,"of":44,"names":"__before_q8d1"}',
        'half done: it will be undone',
      ],
    ],
    { indent: 2 },
  )
  const text = [...backups, '', ...loss, '', ...recovery].map(line => `${line}\n`).join('')
  expectGolden('tables', text)
  for (const line of text.split('\n')) expect(widthIn(line)).toBeLessThanOrEqual(80)
})

test('colours change no column', () => {
  const styled = styleFor({ isTTY: true }, {})
  const columns = [{ title: 'step' }, { title: 'verdict', color: (cell: string) => (cell === 'CORRUPT' ? ('bad' as const) : undefined) }]
  const rows = [['a', 'CORRUPT']]
  expect(table(columns, rows, { style: styled }).join('\n')).toContain('\u001b[31mCORRUPT\u001b[39m')
  expect(table(columns, rows, { style: styled }).map(widthIn)).toEqual(table(columns, rows, { style: plain }).map(widthIn))
})

test('NO_COLOR, TERM=dumb, CI and a pipe each turn the liveliness off; CI=false does not', () => {
  expect(isLively({ isTTY: true }, { TERM: 'xterm' })).toBe(true)
  expect(isLively({ isTTY: true }, { CI: 'false' })).toBe(true)
  for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }, { CI: '1' }, { CI: 'true' }]) expect(isLively({ isTTY: true }, env)).toBe(false)
  expect(isLively({}, {})).toBe(false)
})

test('wrapped text fits and loses nothing but spaces', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.integer({ min: 10, max: 90 }), (raw, width) => {
      const text = raw.replace(/[\p{C}\p{Z}]+/gu, ' ')
      const lines = wrap(text, width)
      expect(lines.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''))
      for (const line of lines) expect(widthIn(line.trim())).toBeLessThanOrEqual(width)
      expect(widthIn(shorten(text, width))).toBeLessThanOrEqual(width)
    }),
  )
})
