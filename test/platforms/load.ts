import { Agent, get, type IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Door } from '../../lib/platforms/platform.ts'

/** One answer through the front door; `failed` says why it is none that a user would take. */
export type Answer = { readonly status: number; readonly version: string | null; readonly body: string; readonly failed?: string }

/** How a load went; `sent` counts requests that have ended. */
export type LoadResult = { readonly sent: number; readonly failures: readonly string[]; readonly versions: Readonly<Record<string, number>> }

type Asking = { readonly agent?: Agent; readonly headers?: Readonly<Record<string, string>> }

/** Asks once; never throws. Without an agent the connection is new. */
export function ask(door: Door, path: string, { agent, headers }: Asking = {}): Promise<Answer> {
  return new Promise(resolve => {
    const failed = (why: string, status = 0) => resolve({ status, version: null, body: '', failed: why })
    const options = { headers: { ...door.headers, ...headers }, agent: agent ?? false, timeout: 30_000 } as const
    const request = get(new URL(path, door.url), options, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', error => failed(`the answer broke off: ${error.message}`))
      response.on('end', () => {
        const { statusCode: status = 0 } = response
        const body = Buffer.concat(chunks).toString('utf8')
        const version = response.headers['x-version']
        const answer = { status, version: typeof version === 'string' ? version : null, body }
        resolve(status >= 500 ? { ...answer, failed: `${status}: ${body.slice(0, 200)}` } : answer)
      })
    })
    request.on('timeout', () => request.destroy(new Error('no answer for 30 s')))
    request.on('error', error => failed(error.message))
  })
}

/** Many answers, a few at a time over kept-alive connections. */
export async function asked(door: Door, path: string, count: number, headers: Readonly<Record<string, string>> = {}): Promise<readonly Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  const answers: Answer[] = []
  const asker = async () => {
    while (answers.length < count) answers.push(await ask(door, path, { agent, headers }))
  }
  await Promise.all([asker(), asker(), asker(), asker()])
  agent.destroy()
  return answers.slice(0, count)
}

/** Asks, over 4 kept-alive connections and 2 times with new ones, without a pause unless one is given, until told to stop. */
export function load(door: Door, path: string, pauseMs = 0): { sent(): number; stop(): Promise<LoadResult> } {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  const failures: string[] = []
  const versions: Record<string, number> = {}
  let sent = 0
  let over = false
  const asker = async (asking: Asking) => {
    while (!over) {
      const { failed, version } = await ask(door, path, asking)
      sent += 1
      if (failed !== undefined) failures.push(failed)
      else versions[version ?? 'none'] = (versions[version ?? 'none'] ?? 0) + 1
      if (pauseMs > 0) await sleep(pauseMs)
    }
  }
  const all = Promise.all([...Array.from({ length: 4 }, () => asker({ agent })), asker({}), asker({})])
  return {
    sent: () => sent,
    stop: async () => {
      over = true
      await all
      agent.destroy()
      return { sent, failures, versions }
    },
  }
}

/** A connection that stays open, with how many bytes came over it and how it ended. */
export type Long = { bytes(): number; ended(): string | null; close(): void }

/** Opens a connection that stays open; resolves with its first bytes, and throws when none come. */
export function long(door: Door, path: string): Promise<Long> {
  return new Promise((resolve, reject) => {
    let bytes = 0
    let ended: string | null = null
    const request = get(new URL(path, door.url), { headers: door.headers, agent: false }, (response: IncomingMessage) => {
      if (response.statusCode !== 200) reject(new Error(`${path} answered ${response.statusCode}`))
      response.on('error', error => {
        ended ??= error.message
      })
      response.on('end', () => {
        ended ??= 'it was ended'
      })
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        resolve({ bytes: () => bytes, ended: () => ended, close: () => request.destroy() })
      })
    })
    request.on('error', error => {
      ended ??= error.message
      reject(error)
    })
  })
}
