import type { AddressInfo } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'

/** A mail as the server got it. */
export type Mail = { readonly from: string; readonly to: readonly string[]; readonly source: string; readonly user: string | undefined }

/** A mail server on loopback that keeps what it is sent. */
export type Mailbox = { readonly port: number; readonly mails: Mail[]; end(): Promise<void> }

/** Starts a mailbox; without options it takes mail from anybody and has no TLS. */
export async function mailbox(options: SMTPServerOptions = {}): Promise<Mailbox> {
  const mails: Mail[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    ...options,
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', chunk => chunks.push(chunk))
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope
        mails.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          source: Buffer.concat(chunks).toString(),
          user: session.user,
        })
        done()
      })
    },
  })
  server.on('error', () => undefined)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    end: () => new Promise(resolve => server.close(() => resolve())),
  }
}
