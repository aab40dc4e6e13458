import { plural } from '../../plan/durations.ts'
import type { Entry } from '../../plan/journal.ts'
import { done, measured, Pace } from './figures.ts'
import { type Line, lineOf, newStory, type Story, tell, took } from './story.ts'
import { oneLine } from './text.ts'
import type { Watcher } from './watcher.ts'

/** Progress of a step is logged at most this often, so that a night's log stays short. */
const PROGRESS_EVERY_MS = 10_000

const stamp = (t: number | string): string => new Date(t).toISOString().replace(/\.\d+Z$/, 'Z')

function listed(...parts: (string | undefined)[]): string {
  return parts.filter(part => part !== undefined && part !== '').join(', ')
}

function ended(line: Line, entry: Entry, pace: Pace | undefined): string {
  const time = done(line.how, took(line, Date.parse(entry.t)))
  return `${line.title}: ${listed(measured(line.gives, pace?.done), time)}`
}

/** The word and the words of an entry; nothing for what only machines need. */
function says(entry: Entry, story: Story, paces: Map<string, Pace>): [string, string] | undefined {
  const line = 'of' in entry ? lineOf(story, entry.of) : undefined
  const title = line?.title ?? ('of' in entry ? entry.of : '')
  switch (entry.at) {
    case 'planned':
      return ['planned', `${entry.runbook} ${entry.stack}/${entry.environment}, run ${entry.run}, ${plural(story.lines.length, 'step')}`]
    case 'leased':
      return ['leased', `${entry.lease}, token ${entry.token}`]
    case 'intent':
      return [entry.undoes === undefined ? 'start' : 'undo', entry.attempt > 1 ? `${title}, attempt ${entry.attempt}` : title]
    case 'verified':
      return line && [line.kind === 'undo' ? 'undone' : 'done', ended(line, entry, paces.get(entry.of))]
    case 'failed':
      return [line?.tidy ? 'WARNING' : 'FAILED', `${title}: ${entry.why}${entry.look === undefined ? '' : ` | ${entry.look}`}`]
    case 'warned':
      return ['WARNING', `${title}: ${entry.why}`]
    case 'asked':
      return ['asked', story.asked.at(-1)?.title ?? entry.of]
    case 'answered':
      return ['answer', `${story.asked.findLast(question => question.id === entry.of)?.title ?? entry.of}: ${entry.answer}`]
    case 'turned':
      return ['turned', `${entry.why}: ${entry.to === 'undo' ? 'undoing what was done' : 'stopping here'}`]
    case 'settling':
      return ['settle', `${entry.how} by ${entry.by.user}@${entry.by.host}`]
    case 'ended':
      return ['ended', `${entry.outcome.word}: ${entry.outcome.says} (exit ${entry.outcome.exit})`]
    default:
      return undefined
  }
}

/** The watcher for cron, CI and pipes: one line an event, its time in UTC, no colours; `now` is milliseconds since 1970. */
export function plainLog(write: (text: string) => void, now: () => number = Date.now): Watcher {
  const story = newStory()
  const paces = new Map<string, Pace>()
  const told = new Map<string, number>()
  const put = (t: number | string, word: string, text: string): void => write(`${stamp(t)} ${word.padEnd(8)} ${oneLine(text)}\n`)

  return {
    saw(entry) {
      tell(story, entry)
      if (entry.at === 'intent') {
        paces.delete(entry.of)
        told.set(entry.of, now())
      }
      const line = says(entry, story, paces)
      if (line) put(entry.t, ...line)
    },
    moved(of, progress) {
      const t = now()
      const pace = paces.get(of) ?? new Pace()
      paces.set(of, pace)
      pace.add(progress, t)
      if (!told.has(of)) told.set(of, t)
      if (t - told.get(of)! < PROGRESS_EVERY_MS) return
      told.set(of, t)
      put(t, 'at', `${lineOf(story, of)?.title ?? of}: ${pace.says(t)}`)
    },
    pause: async () => {},
    resume: () => {},
    end: async () => {},
  }
}
