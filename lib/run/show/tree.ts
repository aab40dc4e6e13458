import type { DefaultRenderer, Listr, ListrDefaultRendererTask } from 'listr2'
import type { Entry } from '../../plan/journal.ts'
import type { Node } from '../../plan/plan.ts'
import { Pace } from './figures.ts'
import { depthsOf, flat, type Line, newStory, tell } from './story.ts'
import type { Screen, Style } from './style.ts'
import { branchText, groupState, lineText, STATES, type TreeState } from './tree-lines.ts'
import type { Watcher } from './watcher.ts'

/** Where a tree is drawn, and the clock it reads (milliseconds since 1970). */
export type TreeOptions = { readonly out: Screen & { write(text: string): unknown }; readonly style: Style; readonly now?: () => number }

/** What a tree shows of a step, an undo or a group; listr2 asks anew for every frame. */
type Branch = {
  readonly text: (depth: number) => string
  readonly state: () => TreeState
  readonly shown: () => boolean
  readonly nodes?: readonly Node[]
}

type Task = Listr['tasks'][number]

/** The watcher for a terminal: a redrawn tree on stderr. listr2 draws and nothing else: its runner, which ends the process on SIGINT, is never started. */
export async function tree({ out, style, now = Date.now }: TreeOptions): Promise<Watcher> {
  const listr2 = await import('listr2')
  const story = newStory()
  const paces = new Map<string, Pace>()
  /** Lines that stand in a tree which is finished: they are not drawn a second time. */
  const drawn = new Set<Line>()
  let open: { readonly list: Listr; readonly renderer: DefaultRenderer; readonly ready: Promise<void>; readonly unplanned: Set<Line> } | undefined
  let paused = false
  let closing = false

  /** Steps behind a question that has no yes yet belong to the next tree. */
  function ahead(): Set<string> {
    const nodes = flat(story.planned?.nodes ?? [])
    const gate = nodes.findIndex(node => node.kind === 'gate' && !story.asked.some(asked => asked.id === node.id && asked.answer === 'yes'))
    return new Set((gate === -1 ? nodes : nodes.slice(0, gate)).flatMap(node => (node.kind === 'step' ? [node.id] : [])))
  }

  /** A waiting step is drawn while it can still come, and while the screen has room for it. */
  function isShown(line: Line): boolean {
    if (drawn.has(line)) return false
    if (line.state !== 'waiting') return true
    const fits = flat(story.planned?.nodes ?? []).length < (out.rows ?? 24) - 4
    return fits && !closing && !story.turned && ahead().has(line.id)
  }

  const columns = (): number => out.columns ?? 80
  const titleWidth = (): number => {
    const depths = depthsOf(story.planned?.nodes ?? [])
    return Math.min(44, Math.max(...story.lines.filter(isShown).map(line => line.title.length + 2 * (depths.get(line.id) ?? 0)), 8))
  }

  function branchOf(line: Line): Branch {
    const at = () => ({ now: now(), pace: paces.get(line.id), titleWidth: titleWidth(), columns: columns(), style })
    return { text: depth => lineText(line, depth, at()), state: () => STATES[line.kind][line.state], shown: () => isShown(line) }
  }

  function branches(nodes: readonly Node[]): Branch[] {
    return nodes.flatMap((node): Branch[] => {
      if (node.kind === 'gate') return []
      const within = story.lines.filter(line => line.kind === 'step' && flat([node]).some(inner => inner.kind === 'step' && inner.id === line.id))
      if (node.kind === 'step') return within.slice(0, 1).map(branchOf)
      const shown = () => within.some(isShown)
      return [{ text: depth => branchText(node, depth, columns()), state: () => groupState(within), shown, nodes: node.nodes }]
    })
  }

  /** Makes listr2 tasks that look into the story whenever they are drawn. */
  function grow(list: Listr, parts: readonly Branch[], depth: number): Task[] {
    const from = list.tasks.length
    list.add(parts.map(() => ({ title: 'to be read from the story', task: () => {} })))
    const tasks = list.tasks.slice(from)
    parts.forEach((part, i) => {
      const task = tasks[i]!
      Object.defineProperties(task, { title: { get: () => part.text(depth) }, state: { get: part.state } })
      task.isEnabled = part.shown
      if (part.nodes) task.subtasks = grow(newList(), branches(part.nodes), depth + 1)
    })
    return tasks
  }

  const newList = (): Listr => new listr2.Listr([], { registerSignalListeners: false, exitOnError: false })

  function start(): void {
    const list = newList()
    grow(list, branches(story.planned?.nodes ?? []), 0)
    // A stream of its own: the renderer catches what others write on its stream until it ends, and a crash would lose those words.
    const stream = {
      write: (text: string) => out.write(text),
      get columns() {
        return out.columns
      },
      get rows() {
        return out.rows
      },
      isTTY: out.isTTY,
    } as unknown as NodeJS.WriteStream
    const logger = new listr2.ListrLogger({ useIcons: true, processOutput: new listr2.ProcessOutput(stream, stream) })
    const icon = {
      PENDING: '❯',
      COMPLETED: '✔',
      FAILED: '✖',
      FAILED_WITH_SUBTASKS: '✖',
      COMPLETED_WITH_FAILED_SUBTASKS: '✔',
      ROLLED_BACK: '↩',
      SKIPPED_WITH_COLLAPSE: '⚠',
      CANCELLED: '⊘',
      WAITING: '·',
    }
    const paint = (color: (text: string) => string) => (text?: string) => color(text ?? '')
    const color = {
      PENDING: paint(style.warn),
      COMPLETED: paint(style.good),
      COMPLETED_WITH_FAILED_SUBTASKS: paint(style.good),
      FAILED: paint(style.bad),
      FAILED_WITH_SUBTASKS: paint(style.bad),
      ROLLING_BACK: paint(style.undo),
      ROLLED_BACK: paint(style.undo),
      SKIPPED_WITH_COLLAPSE: paint(style.warn),
      CANCELLED: paint(style.bad),
      WAITING: paint(style.dim),
    }
    const renderer = new listr2.DefaultRenderer(
      list.tasks as unknown as ListrDefaultRendererTask[],
      { logger, icon, color, collapseSubtasks: false, formatOutput: 'wrap' },
      list.events,
    )
    open = { list, renderer, ready: renderer.render(), unplanned: new Set() }
  }

  /** Starts a tree when there is something to draw, and adds what no plan names, undos and breaches, as it begins. */
  function draw(): void {
    if (paused || !story.lines.some(line => line.state !== 'waiting' && !drawn.has(line))) return
    if (!open) start()
    const planned = new Set(flat(story.planned?.nodes ?? []).flatMap(node => (node.kind === 'step' ? [node.id] : [])))
    for (const line of story.lines) {
      if (planned.has(line.id) && line.kind === 'step') continue
      if (drawn.has(line) || open?.unplanned.has(line)) continue
      open?.unplanned.add(line)
      if (open) grow(open.list, [branchOf(line)], 0)
    }
  }

  /** The last frame stays on the screen. */
  async function finish(): Promise<void> {
    const last = open
    if (!last) return
    await last.ready
    closing = true
    last.renderer.end()
    closing = false
    open = undefined
    for (const line of story.lines) if (line.state !== 'waiting' && line.state !== 'running') drawn.add(line)
  }

  return {
    saw(entry: Entry) {
      tell(story, entry)
      if (entry.at === 'intent') paces.delete(entry.of)
      draw()
    },
    moved(of, progress) {
      const pace = paces.get(of) ?? new Pace()
      paces.set(of, pace)
      pace.add(progress, now())
    },
    async pause() {
      paused = true
      await finish()
    },
    resume() {
      paused = false
      draw()
    },
    async end() {
      paused = true
      await finish()
    },
  }
}
