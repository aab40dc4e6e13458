import type { Secret } from '../plan/secrets.ts'
import { addressOf, post } from './http.ts'
import { colorOf, cut, meansOf, pageOf, type Section, sectionsOf, titleOf } from './message.ts'
import type { Message, Notifier, On } from './notify.ts'

/** What Slack takes at most, in characters: https://docs.slack.dev/reference/block-kit/blocks */
const HEADER = 150
const SECTION = 3_000

/** Slack's own three escapes; with them nothing can mention a channel or become a link. */
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

const markdown = (text: string) => ({ type: 'section', text: { type: 'mrkdwn', text } })

function section({ label, lines, code }: Section): object {
  const text = cut(escaped(lines.join('\n')), SECTION - 100)
  return markdown(code ? `*${label}*\n\`\`\`${text.replaceAll('```', "'''")}\`\`\`` : `*${label}*\n${text}`)
}

/** The payload of an incoming webhook: blocks beside a bar in the message's colour, and a text for phones. */
export function slackPayload(message: Message): object {
  const title = cut(titleOf(message), HEADER)
  const context = [message.severity, message.run, message.by, pageOf(message)].filter(Boolean).join(' · ')
  return {
    text: escaped(title),
    attachments: [
      {
        color: `#${colorOf(message).toString(16).padStart(6, '0')}`,
        blocks: [
          { type: 'header', text: { type: 'plain_text', text: title, emoji: true } },
          markdown(cut(escaped([message.line, meansOf(message)].filter(Boolean).join('\n')), SECTION)),
          ...sectionsOf(message).map(section),
          { type: 'context', elements: [{ type: 'mrkdwn', text: cut(escaped(context), SECTION) }] },
        ],
      },
    ],
  }
}

/** A channel of Slack, by an incoming webhook. */
export function slack({ name = 'slack', webhook, on }: { name?: string; webhook: Secret; on: readonly On[] }): Notifier {
  const url = addressOf(webhook)
  return {
    name,
    kind: 'slack',
    on,
    send: (message, signal) => post(url, { type: 'application/json', body: JSON.stringify(slackPayload(message)) }, signal),
  }
}
