import { plain, type Style } from './style.ts'
import { clean, pad, widthIn, wrap } from './text.ts'

/** A column of a table: `right` for numbers; `color` colours a cell by its text. */
export type Column = { readonly title: string; readonly align?: 'left' | 'right'; readonly color?: (cell: string) => keyof Style | undefined }

/** How a table is laid out: columns of the screen, and spaces before each line. */
export type Layout = { readonly width?: number; readonly indent?: number; readonly style?: Style }

const GAP = '  '
/** A column is never made narrower than this; a screen that needs it is scrolled sideways. */
const NARROWEST = 8

/** Column widths that fit: the widest left-aligned column gives way first, and its cells wrap. */
function widths(columns: readonly Column[], rows: readonly (readonly string[])[], room: number): number[] {
  const wanted = columns.map((column, i) => Math.max(widthIn(column.title), ...rows.map(row => Math.max(...(row[i] ?? '').split('\n').map(widthIn)))))
  for (let over = wanted.reduce((sum, w) => sum + w, GAP.length * (columns.length - 1)) - room; over > 0; over -= 1) {
    const widest = wanted.reduce((best, w, i) => (columns[i]?.align !== 'right' && w > (wanted[best] ?? NARROWEST) ? i : best), -1)
    if (widest === -1) break
    wanted[widest] = (wanted[widest] ?? 0) - 1
  }
  return wanted
}

/** A table as lines: titles dim, numbers on the right, long cells wrapped rather than cut, because what is compared must be seen whole. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { width = 80, indent = 0, style = plain }: Layout = {},
): string[] {
  const cells = rows.map(row => row.map(clean))
  const wide = widths(columns, cells, width - indent)
  const titled = columns.some(column => column.title !== '')
  const lay = (row: readonly string[], paint: (text: string, column: Column, cell: string) => string): string[] => {
    const wrapped = columns.map((column, i) => (column.align === 'right' ? [row[i] ?? ''] : wrap(row[i] ?? '', wide[i] ?? NARROWEST)))
    const height = Math.max(...wrapped.map(lines => lines.length))
    return Array.from({ length: height }, (_, y) => {
      const line = columns.map((column, i) => {
        const text = wrapped[i]?.[y] ?? ''
        return pad(text === '' ? '' : paint(text, column, row[i] ?? ''), wide[i] ?? 0, column.align === 'right' ? 'right' : 'left')
      })
      return (' '.repeat(indent) + line.join(GAP)).trimEnd()
    })
  }
  const head = titled
    ? lay(
        columns.map(column => column.title),
        text => style.dim(text),
      )
    : []
  const body = cells.flatMap(row =>
    lay(row, (text, column, cell) => {
      const color = column.color?.(cell)
      return color === undefined ? text : style[color](text)
    }),
  )
  return [...head, ...body]
}
