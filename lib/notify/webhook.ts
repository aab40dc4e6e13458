import type { Secret } from '../plan/secrets.ts'
import { addressOf, post } from './http.ts'
import type { Message, Notifier, On } from './notify.ts'

/** The object that `--json` prints, with what kind of message it is; of a start the fields of an outcome are null. */
export function webhookPayload(message: Message): object {
  const { event, severity, stack, environment, runbook, run, at, by, report, result } = message
  const {
    word = null,
    exit = null,
    says = null,
    why = null,
    stands = [],
    next = [],
    look = [],
    warnings = [],
    verified = null,
  } = message.outcome ?? {}
  const outcome = { word, exit, says, runbook, subject: `${stack}/${environment}`, run, why, stands, next, look, warnings, verified, report, result }
  return { event, severity, at, by, ...outcome }
}

/** Anything that takes JSON over HTTP; `authorization` is the value of that header. */
export function webhook(options: { name?: string; url: Secret; authorization?: Secret; on: readonly On[] }): Notifier {
  const { name = 'webhook', authorization, on } = options
  const url = addressOf(options.url)
  const headers = authorization ? { headers: { authorization } } : {}
  return {
    name,
    kind: 'webhook',
    on,
    send: (message, signal) => post(url, { type: 'application/json', body: JSON.stringify(webhookPayload(message)), ...headers }, signal),
  }
}
