import { hostname } from 'node:os'
import { redact, Secret } from '../plan/secrets.ts'
import { colorOf, cut, meansOf, pageOf, type Section, sectionsOf, titleOf } from './message.ts'
import type { Message, Notifier, On } from './notify.ts'

/** Longest subject that mail programs show whole on a phone's lock screen, and more than RFC 5322 asks lines to be. */
const SUBJECT = 150

const escaped = (text: string) => text.replace(/[&<>"']/g, c => `&#${c.charCodeAt(0)};`)

const oneLine = (text: string) => text.replace(/\s+/g, ' ').trim()

function plainSection({ label, lines }: Section): string {
  return `${label}\n${lines
    .flatMap(line => line.split('\n'))
    .map(line => `  ${line}`)
    .join('\n')}`
}

function htmlSection({ label, lines, code }: Section): string {
  const text = escaped(lines.join('\n'))
  const style = 'margin:0;white-space:pre-wrap'
  return `<h3 style="margin:16px 0 4px;font-size:14px">${label}</h3>${code ? `<pre style="${style}">${text}</pre>` : `<p style="${style}">${text}</p>`}`
}

const signature = ({ run, by, at }: Message) => [run, by, at].filter(Boolean).join(' · ')

/** Subject, plain text and HTML of a message; the HTML loads nothing. */
export function emailContent(message: Message): { subject: string; text: string; html: string } {
  const title = titleOf(message)
  const sections = sectionsOf(message)
  const head = [message.line, meansOf(message)].filter(Boolean)
  const foot = [`What to do: ${pageOf(message)}`, signature(message)]
  const color = `#${colorOf(message).toString(16).padStart(6, '0')}`
  return {
    subject: cut(oneLine(`[${message.severity}] ${title}`), SUBJECT),
    text: `${[title, head.join('\n'), ...sections.map(plainSection), foot.join('\n')].join('\n\n')}\n`,
    html: [
      `<div style="font:14px/1.5 sans-serif;border-left:6px solid ${color};padding-left:14px">`,
      `<h2 style="margin:0 0 8px;font-size:18px">${escaped(title)}</h2>`,
      ...head.map(line => `<p style="margin:0">${escaped(line)}</p>`),
      ...sections.map(htmlSection),
      ...foot.map(line => `<p style="margin:12px 0 0;color:#666">${escaped(line)}</p>`),
      '</div>',
    ].join('\n'),
  }
}

const LOOPBACK = /^(localhost|127\.|\[::1\])/

type Smtp = { host: string; port: number; secure: boolean; requireTLS: boolean; auth?: { user: string; pass: string } }

/** The server in `smtp://user:password@host:587` (STARTTLS) or `smtps://…`. A password never goes over a connection that is not encrypted, but on this machine. */
function serverOf(smtp: Secret): Smtp {
  const url = URL.parse(smtp.reveal())
  if (!url || !/^smtps?:$/.test(url.protocol) || url.hostname === '') throw new Error(`${smtp.name} is no smtp:// or smtps:// URL`)
  const secure = url.protocol === 'smtps:'
  const pass = decodeURIComponent(url.password)
  if (pass) new Secret(smtp.name, pass)
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || (secure ? 465 : 587),
    secure,
    requireTLS: !secure && pass !== '' && !LOOPBACK.test(url.hostname),
    ...(pass ? { auth: { user: decodeURIComponent(url.username), pass } } : {}),
  }
}

/** E-mail over SMTP, to one or several addresses. */
export function email(options: { name?: string; smtp: Secret; to: string | readonly string[]; from?: string; on: readonly On[] }): Notifier {
  const { name = 'email', from = `runbooks@${hostname()}`, on } = options
  const server = serverOf(options.smtp)
  const to = [options.to].flat()
  return {
    name,
    kind: 'email',
    on,
    async send(message, signal) {
      const { createTransport } = await import('nodemailer')
      const transport = createTransport(server)
      const mail = { from, to, ...emailContent(message), headers: { 'Auto-Submitted': 'auto-generated', 'X-Runbooks-Event': message.event } }
      const ended = new Promise<never>((_, reject) =>
        signal.addEventListener('abort', () => reject(new Error(`${server.host} did not take it in time`)), { once: true }),
      )
      try {
        await Promise.race([transport.sendMail(mail), ended])
      } catch (error) {
        throw new Error(redact(error instanceof Error ? error.message : String(error)))
      } finally {
        transport.close()
      }
    },
  }
}
