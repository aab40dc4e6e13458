import { spent } from '../../plan/durations.ts'
import type { Group } from '../../plan/plan.ts'
import { done, measured, type Pace } from './figures.ts'
import { type Line, took } from './story.ts'
import type { Style } from './style.ts'
import { clean, oneLine, pad, shorten, wrap } from './text.ts'

/** The states by which listr2 chooses an icon. */
export type TreeState = 'WAITING' | 'STARTED' | 'COMPLETED' | 'FAILED' | 'SKIPPED' | 'CANCELLED' | 'ROLLING_BACK' | 'ROLLED_BACK'

/** The listr2 state of a line; a warning borrows SKIPPED, whose icon is set to ⚠. */
export const STATES: Readonly<Record<Line['kind'], Readonly<Record<Line['state'], TreeState>>>> = {
  step: { waiting: 'WAITING', running: 'STARTED', done: 'COMPLETED', failed: 'FAILED', warned: 'SKIPPED', stopped: 'CANCELLED' },
  undo: { waiting: 'WAITING', running: 'ROLLING_BACK', done: 'ROLLED_BACK', failed: 'FAILED', warned: 'SKIPPED', stopped: 'CANCELLED' },
}

/** The state of a group: failed when one line failed, done when all are. */
export function groupState(lines: readonly Line[]): TreeState {
  if (lines.some(line => line.state === 'failed' || line.state === 'stopped')) return 'FAILED'
  if (lines.every(line => line.state === 'done' || line.state === 'warned')) return 'COMPLETED'
  return lines.every(line => line.state === 'waiting') ? 'WAITING' : 'STARTED'
}

/** Columns left of a title: two a level, and the icon with its space. */
const margin = (depth: number): number => 2 * depth + 2

/** The last lines of what a failed step left to look at; more is in the report. */
const LOOK_LINES = 6

/** The title of a group, cut to the screen. */
export function branchText(group: Group, depth: number, columns: number): string {
  return shorten(oneLine(group.title), columns - margin(depth) - 2)
}

/** What a step has to say beside its title now. */
function detail(line: Line, now: number, pace: Pace | undefined): string {
  const time = line.spans.length > 0 ? spent(took(line, now)) : ''
  const join = (...parts: string[]): string => parts.filter(part => part !== '').join(', ')
  if (line.state === 'running') return pace?.done ? pace.says(now) : join(line.attempt > 1 ? `attempt ${line.attempt}` : '', time)
  if (line.state === 'done') return join(measured(line.gives, pace?.done), done(line.how, took(line, now)))
  if (line.state === 'stopped') return join('stopped', time)
  if (line.state === 'failed' || line.state === 'warned') return `${time === '' ? '' : `${time}: `}${oneLine(line.why ?? 'failed')}`
  return ''
}

/** One line of the tree, and under a failed one the reason in full with the last words of what failed. */
export function lineText(
  line: Line,
  depth: number,
  at: { readonly now: number; readonly pace: Pace | undefined; readonly titleWidth: number; readonly columns: number; readonly style: Style },
): string {
  // listr2 itself leaves two columns free on the right.
  const room = at.columns - margin(depth) - 2
  const title = pad(shorten(oneLine(line.title), Math.min(room, at.titleWidth)), Math.min(room, at.titleWidth - 2 * depth))
  const says = detail(line, at.now, at.pace)
  if (says === '') return line.state === 'waiting' ? at.style.dim(title.trimEnd()) : title.trimEnd()
  if (line.state !== 'failed' && line.state !== 'warned') return `${title}   ${at.style.dim(shorten(oneLine(says), room - title.length - 3))}`
  const [first = '', ...rest] = wrap(says, Math.max(20, room - title.length - 3))
  const look = clean(line.look ?? '')
    .split('\n')
    .filter(text => text.trim() !== '')
    .flatMap(text => wrap(text, room - 4))
    .slice(-LOOK_LINES)
  const hung = [...(rest.length > 0 ? wrap(says.slice(first.length).trim(), room - 4) : []), ...look]
  return [`${title}   ${first}`, ...hung.map(text => `  ${at.style.dim(text)}`)].join('\n')
}
