import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { Agent, request as ask } from 'node:http'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Child } from '../../exec/child.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { redact } from '../../plan/secrets.ts'
import { closed, leashed, nobody } from './leash.ts'

/** A refusal of the API server, in its own words. */
export class ApiError extends Error {
  readonly status: number
  readonly reason: string
  constructor(status: number, reason: string, message: string) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.reason = reason
  }
}

type Asked = {
  readonly body?: unknown
  /** Of the body; JSON unless said. */
  readonly type?: string
  /** Whether an API server that is away for a moment is asked again; yes for what only reads. */
  readonly patient?: boolean
  readonly doing?: Doing
}

type Answer = { readonly status: number; readonly body: string; readonly json: boolean; readonly nowMs: number }

/** The API of the cluster. Throws ApiError for a refusal, Trouble(3) when we are not let in, Trouble(8) when nobody answers. */
export type Api = {
  /** The text of an answer, and the server's time in milliseconds (whole seconds). */
  text(method: string, path: string, asked?: Asked): Promise<{ readonly text: string; readonly nowMs: number }>
  get<T>(path: string, asked?: Asked): Promise<T>
  /** As `get`; undefined where there is no such thing. */
  find<T>(path: string, asked?: Asked): Promise<T | undefined>
  send<T>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, asked?: Asked): Promise<T>
  close(): Promise<void>
}

type Through = { flags(): readonly string[]; readonly folder: string; readonly where: string; verify(doing: Doing): Promise<void> }

/** Longest time for one answer, and how long a server that is away is asked again, in milliseconds: an API server restarts within seconds. */
const ANSWER_MS = 20_000
const PATIENCE_MS = 15_000
const AGAIN_MS = 300

/**
 * One `kubectl proxy` on a socket in a folder that nobody else may enter: kubectl logs in as it always does, and a look costs milliseconds
 * instead of a process. It ends with us, also when we are killed.
 */
export function apiThrough({ flags, verify, folder, where }: Through): Api {
  let opened: Promise<{ readonly child: Child; readonly socket: string; readonly agent: Agent }> | undefined
  const open = async (doing: Doing) => {
    await verify(doing)
    const socket = join(folder, `proxy-${randomBytes(4).toString('hex')}`)
    const { child, said } = await leashed([...flags(), 'proxy', `--unix-socket=${socket}`], folder)
    const agent = new Agent({ keepAlive: true, maxSockets: 16 })
    void child.ended.then(() => {
      opened = undefined
      agent.destroy()
      rmSync(socket, { force: true })
    })
    if (said === undefined) throw new Trouble(8, `kubectl proxy did not start: ${redact(child.stderr())}`)
    return { child, socket, agent }
  }
  const once = async (method: string, path: string, { body, type, doing }: Asked): Promise<Answer> => {
    opened ??= open(doing ?? nobody()).catch(error => {
      opened = undefined
      throw error
    })
    const { socket, agent } = await opened
    const timeout = AbortSignal.timeout(ANSWER_MS)
    const signal = doing ? AbortSignal.any([doing.signal, timeout]) : timeout
    return answered({ socket, agent, method, path, type, body, signal })
  }
  const patiently = async (method: string, path: string, asked: Asked): Promise<Answer> => {
    const until = performance.now() + ((asked.patient ?? method === 'GET') ? PATIENCE_MS : 0)
    for (;;) {
      const answer = await once(method, path, asked).catch(error => {
        asked.doing?.signal.throwIfAborted()
        if (error instanceof Trouble) throw error
        return { status: 0, body: error instanceof Error ? error.message : String(error), json: false, nowMs: 0 }
      })
      // What kubectl could not deliver it answers itself, as plain text.
      const away = answer.status === 0 || (answer.status >= 500 && (!answer.json || answer.status !== 500))
      if (!away) return answer
      if (performance.now() > until) throw unreachable(where, answer)
      await pause(AGAIN_MS, undefined, { signal: asked.doing?.signal })
    }
  }
  const text: Api['text'] = async (method, path, asked = {}) => {
    const answer = await patiently(method, path, asked)
    if (answer.status < 400) return { text: answer.body, nowMs: answer.nowMs }
    throw refusal(where, answer)
  }
  const json = async <T>(method: string, path: string, asked: Asked = {}) => JSON.parse((await text(method, path, asked)).text) as T
  return {
    text,
    get: (path, asked) => json('GET', path, asked),
    find: (path, asked) =>
      json<never>('GET', path, asked).catch(error => {
        if (error instanceof ApiError && error.status === 404) return undefined
        throw error
      }),
    send: json,
    async close() {
      const now = await opened?.catch(() => undefined)
      opened = undefined
      if (now) await closed(now.child)
    },
  }
}

type Call = {
  readonly socket: string
  readonly agent: Agent
  readonly method: string
  readonly path: string
  readonly type: string | undefined
  readonly body: unknown
  readonly signal: AbortSignal
}

function answered({ socket, agent, method, path, type = 'application/json', body, signal }: Call): Promise<Answer> {
  const payload = body === undefined ? undefined : JSON.stringify(body)
  // Of a DELETE with a body Node does not say the length by itself.
  const headers = {
    Host: 'localhost',
    Accept: 'application/json, */*',
    ...(payload === undefined ? {} : { 'Content-Type': type, 'Content-Length': Buffer.byteLength(payload) }),
  }
  return new Promise((resolve, reject) => {
    const request = ask({ socketPath: socket, agent, method, path, headers, signal }, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject)
      response.on('end', () => {
        const json = /json/.test(response.headers['content-type'] ?? '')
        const nowMs = Date.parse(response.headers.date ?? '')
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8'), json, nowMs })
      })
    })
    request.on('error', reject).end(payload)
  })
}

const unreachable = (where: string, { body }: Answer) =>
  new Trouble(8, `The API server ${where} does not answer: ${redact(body).trim().slice(0, 300)}`, { look: [`curl -k ${where}/readyz`] })

function refusal(where: string, { status, body, json }: Answer): Error {
  const said = json ? (JSON.parse(body) as { message?: string; reason?: string }) : {}
  const words = redact(said.message ?? body.trim()).slice(0, 2_000)
  if (status === 401)
    return new Trouble(3, `The API server ${where} does not let us in: the token is expired or not valid (${words})`, {
      next: ['log in again, or make a new token: kubectl create token runbooks-operator --duration=1h'],
    })
  return new ApiError(status, said.reason ?? '', words)
}
