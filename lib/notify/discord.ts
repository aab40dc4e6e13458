import type { Secret } from '../plan/secrets.ts'
import { addressOf, post } from './http.ts'
import { colorOf, cut, meansOf, pageOf, type Section, sectionsOf, titleOf } from './message.ts'
import type { Message, Notifier, On } from './notify.ts'

/** What Discord takes at most, in characters; all of an embed together 6,000: https://discord.com/developers/docs/resources/message#embed-object-embed-limits */
const TITLE = 256
const DESCRIPTION = 1_500
/** A field takes 1,024; six of them must fit beside the rest. */
const FIELD = 640

function field({ label, lines, code }: Section): object {
  const text = lines.join('\n')
  return { name: label, value: code ? `\`\`\`\n${cut(text.replaceAll('```', "'''"), FIELD - 10)}\n\`\`\`` : cut(text, FIELD) }
}

/** The payload of a webhook: one embed in the message's colour. Nobody can be mentioned by a text in it. */
export function discordPayload(message: Message): object {
  const footer = [message.severity, message.run, message.by, pageOf(message)].filter(Boolean).join(' · ')
  return {
    allowed_mentions: { parse: [] },
    embeds: [
      {
        title: cut(titleOf(message), TITLE),
        description: cut([message.line, meansOf(message)].filter(Boolean).join('\n'), DESCRIPTION),
        color: colorOf(message),
        timestamp: message.at,
        fields: sectionsOf(message).map(field),
        footer: { text: cut(footer, TITLE) },
      },
    ],
  }
}

/** A channel of Discord, by its webhook. */
export function discord({ name = 'discord', webhook, on }: { name?: string; webhook: Secret; on: readonly On[] }): Notifier {
  const url = addressOf(webhook)
  return {
    name,
    kind: 'discord',
    on,
    send: (message, signal) => post(url, { type: 'application/json', body: JSON.stringify(discordPayload(message)) }, signal),
  }
}
