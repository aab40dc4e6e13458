import { get } from 'node:http'

/** Longest time that a health check waits for its answer, in milliseconds. */
const ANSWER_MS = 2_000

/** Bytes of an answer that are quoted. */
const QUOTED = 300

/** Asks a port of loopback for a path: fit to serve is who answers 2xx. `says` is the answer in words, the same for the same answer. */
export function probe(port: number, path: string, signal: AbortSignal): Promise<{ readonly ok: boolean; readonly says: string }> {
  return new Promise(resolve => {
    const failed = (why: string) => resolve({ ok: false, says: `GET ${path}: ${why}` })
    const request = get({ host: '127.0.0.1', port, path, agent: false, signal, timeout: ANSWER_MS }, response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        if (text.length < QUOTED) text += chunk
      })
      response.on('error', error => failed(error.message))
      response.on('end', () => {
        const { statusCode = 0 } = response
        const ok = statusCode >= 200 && statusCode < 300
        resolve({ ok, says: ok ? `GET ${path} answered ${statusCode}` : `GET ${path} answered ${statusCode}: ${text.slice(0, QUOTED).trim()}` })
      })
    })
    request.on('timeout', () => request.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)))
    request.on('error', (error: NodeJS.ErrnoException) =>
      failed(error.code === 'ECONNREFUSED' ? `nothing listens on port ${port} yet` : error.message),
    )
  })
}
