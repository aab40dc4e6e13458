import { redact } from '../plan/secrets.ts'
import type { Event, Message } from './notify.ts'
import { LOG_BYTES } from './notify.ts'

/** How each kind of message looks and what it says to somebody who was just woken. */
type Kind = {
  readonly mark: string
  /** RGB, as Discord takes it. */
  readonly color: number
  readonly title: (runbook: string) => string
  readonly means: string
}

const RED = 0xe74c3c
const DARK_RED = 0x992d22
const ORANGE = 0xe67e22
const YELLOW = 0xf1c40f
const GREEN = 0x2ecc71
const BLUE = 0x3498db
const GREY = 0x95a5a6

const KINDS: Readonly<Record<Event | 'test', Kind>> = {
  'human needed': {
    mark: '🆘',
    color: DARK_RED,
    title: runbook => `${runbook} needs a person`,
    means: 'Something stands half-way, and nothing new starts until it is settled. Choose one of the commands under Next.',
  },
  failed: { mark: '🔴', color: RED, title: runbook => `${runbook} failed`, means: 'It did not do what it should.' },
  unhealthy: {
    mark: '🔴',
    color: RED,
    title: () => 'not everything is healthy',
    means: 'Something that the stack needs does not do what it should. Why says what, and Look shows more.',
  },
  stale: {
    mark: '🟠',
    color: ORANGE,
    title: () => 'the newest backup is too old',
    means: 'If the data were lost now, more would be lost than the stack allows.',
  },
  shrunk: {
    mark: '🟠',
    color: ORANGE,
    title: runbook => `${runbook} is done, but the data shrank`,
    means: 'Look at the data before older backups are let go of.',
  },
  undone: {
    mark: '↩️',
    color: YELLOW,
    title: runbook => `${runbook} was taken back`,
    means: 'It did not come to its end, and nothing of it is left.',
  },
  recovered: { mark: '🟢', color: GREEN, title: runbook => `${runbook} works again`, means: 'The run before this one had failed.' },
  done: { mark: '🟢', color: GREEN, title: runbook => `${runbook} is done`, means: 'It did what it should, and that was verified.' },
  start: { mark: '🔵', color: BLUE, title: runbook => `${runbook} has begun`, means: 'It has begun.' },
  test: { mark: '🔔', color: GREY, title: () => 'test message', means: 'Somebody tries this channel. Nothing is wrong.' },
}

/** The headline: `🔴 backup failed: shop/production`. */
export function titleOf({ event, runbook, stack, environment }: Message): string {
  return `${KINDS[event].mark} ${KINDS[event].title(runbook)}: ${stack}/${environment}`
}

/** The headline's colour as a number (RGB). */
export const colorOf = ({ event }: Message): number => KINDS[event].color

/** What this kind of message means, in a sentence or two. */
export const meansOf = ({ event }: Message): string => KINDS[event].means

/** The page that says what to do about a message, as a path in the toolkit's repository. */
export const pageOf = ({ event }: Message): string => `docs/runbooks/alerts.md#${event.replace(' ', '-')}`

/** A part of a message's body; `code` is to be pasted as it is. */
export type Section = { readonly label: string; readonly lines: readonly string[]; readonly code: boolean }

/** What stands under the headline, in the order in which a run explains itself; empty parts are left out. */
export function sectionsOf({ outcome, event, report, by }: Message): Section[] {
  const explains = event !== 'done' && event !== 'recovered'
  const all: Section[] = [
    { label: 'Warning', lines: outcome?.warnings ?? [], code: false },
    { label: 'Why', lines: outcome?.why && explains ? [outcome.why] : [], code: false },
    { label: 'Stands', lines: outcome?.stands ?? [], code: false },
    { label: 'Next', lines: explains ? (outcome?.next ?? []) : [], code: true },
    { label: 'Look', lines: explains ? (outcome?.look ?? []) : [], code: true },
    { label: 'Report', lines: report ? [`${by}: ${report}`] : [], code: false },
  ]
  return all.filter(({ lines }) => lines.length > 0)
}

/** The same value with every known secret in its texts replaced by `***`. */
export function withoutSecrets<T>(value: T): T {
  if (typeof value === 'string') return redact(value) as T
  if (Array.isArray(value)) return value.map(withoutSecrets) as T
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, withoutSecrets(field)])) as T
}

/** A message that may leave this machine. The log is redacted before it is cut, so that no cut secret is left. */
export function sendable(message: Message): Message {
  return { ...withoutSecrets(message), log: endOf(redact(message.log), LOG_BYTES) }
}

/** The last `bytes` bytes of a text, from the beginning of a character. */
export function endOf(text: string, bytes: number): string {
  const all = Buffer.from(text)
  if (all.length <= bytes) return text
  let from = all.length - bytes
  // 10xxxxxx continues a character.
  while (((all[from] ?? 0) & 0xc0) === 0x80) from += 1
  return all.subarray(from).toString()
}

/** A text cut to what a service takes, in UTF-16 units, its lost end marked. */
export function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '')}…`
}
