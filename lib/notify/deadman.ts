import { createHash } from 'node:crypto'
import type { Secret } from '../plan/secrets.ts'
import { addressOf, post } from './http.ts'
import { LIMIT_MS, type Message, type Notifier } from './notify.ts'

/** The run's id as the UUID that healthchecks.io pairs a start with its end by. */
export function ridOf(run: string): string {
  const hex = createHash('sha256').update(run).digest('hex')
  // Version 8 (free form) and the variant of RFC 9562.
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** What is put behind the check's address: `/start`, nothing for a success, `/fail`, and `/log`, which changes nothing, for a test. */
export function pingOf({ event, outcome }: Message): '/start' | '' | '/fail' | '/log' {
  if (event === 'test') return '/log'
  if (outcome === null) return '/start'
  return outcome.exit === 0 ? '' : '/fail'
}

/** Settling an earlier run (taking it back, closing it) is neither a success nor a failure of the work that is waited for. */
const settlesOnly = ({ events, outcome }: Message) => outcome?.exit === 0 && events.includes('undone')

/** Three tries of LIMIT_MS each: a lost ping wakes somebody for nothing. */
const PING_LIMIT_MS = 3 * LIMIT_MS

/**
 * A dead man's switch in the way of healthchecks.io, which raises the alarm when it hears nothing: so it also notices a machine that is gone.
 * One check waits for one runbook.
 */
export function deadman({ name = 'deadman', url, runbook = 'backup' }: { name?: string; url: Secret; runbook?: string }): Notifier {
  const check = addressOf(url)
  return {
    name,
    kind: 'deadman',
    on: [],
    limitMs: PING_LIMIT_MS,
    wants: message => message.runbook === runbook && !settlesOnly(message),
    send(message, signal) {
      const ping = new URL(check)
      ping.pathname = check.pathname.replace(/\/$/, '') + pingOf(message)
      if (message.run) ping.searchParams.set('rid', ridOf(message.run))
      return post(ping, { type: 'text/plain; charset=utf-8', body: message.log }, signal)
    },
  }
}
