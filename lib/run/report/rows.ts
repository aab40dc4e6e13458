import { type Asked, flat, type Line, type Story } from '../show/story.ts'

/** What a report lists, in the order of the plan, undos last: groups, steps and the questions between them. */
export type Row =
  | { readonly kind: 'group'; readonly title: string; readonly depth: number }
  | {
      readonly kind: 'line'
      readonly line: Line
      readonly depth: number
      readonly number: string
      readonly commit: boolean
      readonly undone: boolean
    }
  | { readonly kind: 'gate'; readonly asked: Asked; readonly depth: number }

/** The rows of a story; steps are numbered as the plan numbered them, and what the plan did not know follows without number. */
export function rowsOf(story: Story): Row[] {
  const nodes = story.planned?.nodes ?? []
  const rows: Row[] = []
  const isUndone = (line: Line): boolean => story.lines.findLast(one => one.undoes === line.id)?.state === 'done'
  const listed = new Set<Line>()
  let number = 0
  const add = (all: typeof nodes, depth: number): void => {
    for (const node of all) {
      if (node.kind === 'group') {
        rows.push({ kind: 'group', title: node.title, depth })
        add(node.nodes, depth + 1)
      } else if (node.kind === 'gate') {
        rows.push(...story.asked.filter(asked => asked.id === node.id).map(asked => ({ kind: 'gate' as const, asked, depth })))
      } else {
        const line = story.lines.find(one => one.id === node.id && one.kind === 'step')
        number += 1
        if (line) {
          listed.add(line)
          rows.push({ kind: 'line', line, depth, number: String(number), commit: node.role === 'commit', undone: isUndone(line) })
        }
      }
    }
  }
  add(nodes, 0)
  const gates = new Set(flat(nodes).flatMap(node => (node.kind === 'gate' ? [node.id] : [])))
  rows.push(...story.asked.filter(asked => !gates.has(asked.id)).map(asked => ({ kind: 'gate' as const, asked, depth: 0 })))
  rows.push(
    ...story.lines
      .filter(line => !listed.has(line))
      .map(line => ({ kind: 'line' as const, line, depth: 0, number: line.kind === 'undo' ? '↩' : '', commit: false, undone: false })),
  )
  return rows
}
