import type { Entry, Fact, How, Outcome } from '../../plan/journal.ts'
import type { Json, Node } from '../../plan/plan.ts'

/** From when to when something went on, ISO 8601; open while it goes on, cut where its run died. */
export type Span = { readonly from: string; to?: string }

/** One step or undo as far as it has been told. */
export type Line = {
  readonly id: string
  readonly title: string
  readonly kind: 'step' | 'undo'
  readonly tidy: boolean
  /** stopped: cut off by a failure elsewhere, by Ctrl-C or by a crash. */
  state: 'waiting' | 'running' | 'done' | 'failed' | 'warned' | 'stopped'
  attempt: number
  readonly spans: Span[]
  prints: readonly string[]
  gives: Json
  how?: How
  why?: string
  look?: string
  /** The step that an undo takes back. */
  undoes?: string
}

/** A question that was put, and what came back. */
export type Asked = {
  readonly id: string
  readonly title: string
  readonly since: string
  readonly shows: readonly Json[]
  readonly span: Span
  answer?: string
}

/** Everything that a run's entries say, gathered as they come: tree, log and report are drawn from it. */
export type Story = {
  planned?: Fact & { readonly at: 'planned' }
  readonly lines: Line[]
  readonly asked: Asked[]
  /** True from when the run turned until somebody lets it go on: what waits will not come. */
  turned: boolean
  undoing: boolean
  readonly warned: { readonly of: string; readonly why: string }[]
  readonly settled: (Fact & { readonly at: 'settling' } & { readonly t: string; readonly silentSince: string | undefined })[]
  outcome?: Outcome
  first?: string
  last?: string
}

/** A story before its first entry. */
export function newStory(): Story {
  return { lines: [], asked: [], turned: false, undoing: false, warned: [], settled: [] }
}

/** Every node of a plan in the order of its lines, groups before what is in them. */
export function flat(nodes: readonly Node[]): Node[] {
  return nodes.flatMap(node => (node.kind === 'group' ? [node, ...flat(node.nodes)] : [node]))
}

/** How deep in groups each step of a plan stands, by its id. */
export function depthsOf(nodes: readonly Node[], depth = 0): Map<string, number> {
  const all = nodes.flatMap((node): (readonly [string, number])[] => {
    if (node.kind === 'gate') return []
    return node.kind === 'step' ? [[node.id, depth]] : [...depthsOf(node.nodes, depth + 1)]
  })
  return new Map(all)
}

/** The line that an entry speaks of: the newest of its id, because an undo may bear the id of its step. */
export function lineOf(story: Story, of: string): Line | undefined {
  return story.lines.findLast(line => line.id === of)
}

function newLine(id: string, title: string, more: { kind: Line['kind']; tidy: boolean; undoes?: string }): Line {
  return { id, title, ...more, state: 'waiting', attempt: 0, spans: [], prints: [], gives: null }
}

function planned(story: Story, fact: Fact & { at: 'planned' }): void {
  story.planned ??= fact
  for (const node of flat(fact.nodes)) {
    if (node.kind !== 'step' || lineOf(story, node.id) !== undefined) continue
    story.lines.push(newLine(node.id, node.title, { kind: 'step', tidy: node.role === 'tidy' }))
  }
}

/** The line of an intent: a step of the plan, or an undo that nobody knew of before. */
function intended(story: Story, fact: Fact & { at: 'intent' }): Line {
  const known = lineOf(story, fact.of)
  if (known && (known.kind === 'undo') === (fact.undoes !== undefined)) return known
  const undoes = fact.undoes === undefined ? {} : { undoes: fact.undoes }
  const line = newLine(fact.of, fact.title, { kind: fact.undoes === undefined ? 'step' : 'undo', tidy: fact.role === 'tidy', ...undoes })
  story.lines.push(line)
  return line
}

/** Cuts off whatever still runs, as of the time `t`. */
function stop(story: Story, t: string): void {
  for (const line of story.lines) if (line.state === 'running') close(line, 'stopped', t)
}

/** The breach of a group's watch has no step of its own, and gets a line when it happens. */
function breached(story: Story, of: string, t: string): Line {
  const group = flat(story.planned?.nodes ?? []).find(node => node.kind === 'group' && node.watch && `${node.watch.verb}/${node.watch.of}` === of)
  const line = newLine(of, group ? `Watch: ${group.title}` : of, { kind: 'step', tidy: false })
  line.spans.push({ from: t })
  story.lines.push(line)
  return line
}

/** The title of a question: a gate of the plan, or what a step asks when it is late. */
function gateTitle(story: Story, id: string): string {
  const gates = flat(story.planned?.nodes ?? []).flatMap(node =>
    node.kind === 'gate' ? [node] : node.kind === 'step' && node.late ? [node.late] : [],
  )
  return gates.find(gate => gate.id === id)?.title ?? id
}

function close(line: Line, state: Line['state'], t: string): void {
  line.state = state
  const span = line.spans.at(-1)
  if (span) span.to = t
}

/** Adds one entry to a story, in the order of the journal. */
export function tell(story: Story, entry: Entry): void {
  const before = story.last
  story.first ??= entry.t
  story.last = entry.t
  const line = 'of' in entry ? lineOf(story, entry.of) : undefined
  switch (entry.at) {
    case 'planned':
      planned(story, entry)
      return
    case 'intent': {
      const begun = intended(story, entry)
      // An attempt without an end was cut at the latest when the entry before this one was written.
      if (begun.state === 'running') close(begun, 'stopped', before ?? entry.t)
      begun.spans.push({ from: entry.t })
      begun.state = 'running'
      begun.attempt = entry.attempt
      begun.prints = entry.prints
      return
    }
    case 'exited':
      if (!line) return
      line.gives = entry.gives
      if (entry.why !== undefined) line.why = entry.why
      if (entry.look !== undefined) line.look = entry.look
      return
    case 'verified':
      if (!line) return
      close(line, 'done', entry.t)
      line.how = entry.how
      if (entry.gives !== null) line.gives = entry.gives
      delete line.why
      return
    case 'failed': {
      const ended = line ?? breached(story, entry.of, entry.t)
      close(ended, ended.tidy ? 'warned' : 'failed', entry.t)
      ended.why = entry.why
      if (entry.look !== undefined) ended.look = entry.look
      return
    }
    case 'warned':
      story.warned.push({ of: entry.of, why: entry.why })
      if (!line?.tidy) return
      close(line, 'warned', entry.t)
      line.why = entry.why
      return
    case 'asked':
      story.asked.push({ id: entry.of, title: gateTitle(story, entry.of), since: entry.since, shows: entry.shows, span: { from: entry.t } })
      return
    case 'answered': {
      const asked = story.asked.findLast(question => question.id === entry.of)
      if (!asked) return
      asked.answer = entry.answer
      asked.span.to = entry.t
      return
    }
    case 'turned':
      stop(story, entry.t)
      story.turned = true
      story.undoing = entry.to === 'undo'
      return
    case 'settling':
      // A run that only stopped goes on; one that was undoing goes on undoing.
      if (entry.how === 'resume') story.turned = story.undoing
      // Whoever ran before died at the latest after its last entry.
      stop(story, before ?? entry.t)
      story.settled.push({ ...entry, silentSince: before })
      return
    case 'ended':
      stop(story, entry.t)
      story.outcome = entry.outcome
  }
}

/** Milliseconds that the attempts of a line took; an open one counts until `now`. */
export function took(line: Line, now: number): number {
  return line.spans.reduce((sum, span) => sum + (span.to === undefined ? now : Date.parse(span.to)) - Date.parse(span.from), 0)
}
