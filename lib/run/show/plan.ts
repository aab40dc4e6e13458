import { plain, type Style } from './style.ts'
import { clean, oneLine, pad, widthIn, wrap } from './text.ts'

/** One line of a plan as it is shown to a person. */
export type PlanLine =
  | {
      readonly title: string
      /** How it is taken back; `none` gives the reason why it cannot or need not be; null for a step that only reads. */
      readonly undo: string | { readonly none: string } | null
      readonly note?: string
      /** The very commands and transfers, shown by a dry run. */
      readonly prints?: readonly string[]
    }
  /** A question in the middle: what the person will then be shown. */
  | { readonly gate: string }
  | { readonly group: string; readonly lines: readonly PlanLine[]; readonly together?: boolean; readonly watch?: string }

type Row = {
  readonly number: string
  readonly depth: number
  readonly title: string
  readonly note: string
  readonly undo: string
  readonly prints: readonly string[]
}

function undoText(undo: string | { readonly none: string } | null): string {
  if (undo === null) return ''
  return typeof undo === 'string' ? `undo: ${oneLine(undo)}` : `no undo: ${oneLine(undo.none)}`
}

/** Lines with their numbers, which count through groups and gates so that a person can say "stop before 5". */
function numbered(lines: readonly PlanLine[], depth = 0, next = { number: 1 }): Row[] {
  return lines.flatMap((line): Row[] => {
    const blank = { number: '', depth, note: '', undo: '', prints: [] }
    if ('gate' in line) return [{ ...blank, number: '-', title: `here you are asked again: ${oneLine(line.gate)} -` }]
    if ('group' in line) {
      const how = [line.together ? 'at the same time' : '', line.watch === undefined ? '' : `watched: ${oneLine(line.watch)}`].filter(
        text => text !== '',
      )
      const title = how.length > 0 ? `${oneLine(line.group)} (${how.join('; ')})` : oneLine(line.group)
      return [{ ...blank, title }, ...numbered(line.lines, depth + 1, next)]
    }
    const number = String(next.number++)
    return [{ number, depth, title: oneLine(line.title), note: oneLine(line.note ?? ''), undo: undoText(line.undo), prints: line.prints ?? [] }]
  })
}

/** A row with its columns side by side where they fit, else note and undo below, whole. */
function row(line: Row, wide: { number: number; title: number; note: number }, width: number, style: Style): string[] {
  const lead = `${pad(line.number, wide.number, 'right')} ${'  '.repeat(line.depth)}`
  if (line.note === '' && line.undo === '') {
    return wrap(line.title, width - lead.length).map(
      (text, i) => (i === 0 ? lead : ' '.repeat(lead.length)) + (line.number === '-' ? style.warn(text) : text),
    )
  }
  const title = pad(line.title, wide.title - 2 * line.depth)
  const side = line.undo === '' ? line.note : `${pad(line.note, wide.note)}${wide.note > 0 || line.note !== '' ? '  ' : ''}${line.undo}`
  const beside = `${lead}${title}  ${side}`
  if (widthIn(beside) <= width) return [`${lead}${title}  ${style.dim(side)}`]
  const below = [line.note, line.undo].filter(text => text !== '').flatMap(text => wrap(text, width - lead.length - 4))
  return [...wrap(lead + line.title, width), ...below.map(text => `${' '.repeat(lead.length + 4)}${style.dim(text)}`)]
}

/** A plan as lines of at most `width` columns; with `dry`, each line is followed by the very commands it would run, never broken. */
export function planLines(
  lines: readonly PlanLine[],
  { width = 80, style = plain, dry = false }: { width?: number; style?: Style; dry?: boolean } = {},
): string[] {
  const rows = numbered(lines)
  const sided = rows.filter(line => line.note !== '' || line.undo !== '')
  const number = Math.max(2, ...rows.map(line => line.number.length))
  const title = Math.min(34, Math.max(0, ...sided.map(line => widthIn(line.title) + 2 * line.depth)))
  // A long undo goes below its line, and takes no room from the others.
  const longest = Math.max(0, ...sided.map(line => widthIn(line.undo)).filter(wide => wide <= width / 2))
  const note = Math.min(Math.max(0, ...sided.map(line => widthIn(line.note))), Math.max(0, width - number - 1 - title - 2 - 2 - longest))
  return rows.flatMap(line => {
    const shown = row(line, { number, title, note }, width, style)
    const commands = dry ? line.prints.flatMap(text => clean(text).split('\n')) : []
    return [...shown, ...commands.map(text => `${' '.repeat(number + 3 + 2 * line.depth)}${style.dim(text)}`)]
  })
}

/** The plan as text, ready for a screen. */
export function printPlan(lines: readonly PlanLine[], options: { width?: number; style?: Style; dry?: boolean } = {}): string {
  return `${planLines(lines, options).join('\n')}\n`
}
