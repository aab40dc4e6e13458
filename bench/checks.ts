import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Check, LIMIT_MS, type Look, lookAtAll } from '../lib/checks/check.ts'
import { disk } from '../lib/checks/disk.ts'
import { http } from '../lib/checks/http.ts'
import { mustRun } from '../lib/exec/process.ts'
import type { Doing } from '../lib/plan/plan.ts'
import { median } from './measure.ts'
import type { Row } from './rows.ts'

/** As many as a large stack has. */
const MANY = 50
/** How long the slowest takes to answer: a database that is asked over the internet. */
const SLOWEST_MS = 300
const MOST_MORE_MS = 100

const doing: Doing = { run: 'bench', signal: new AbortController().signal, progress: () => {}, spawned: () => {} }

/** Fifty checks (addresses that take up to 300 ms, and commands) at once, against the slowest of them alone, in turn. */
export async function checksAtOnce(rounds: number): Promise<Row[]> {
  const server = createServer((request, response) => void setTimeout(() => response.end('{"status":"ok"}'), Number(request.url?.slice(1))))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  try {
    const slowest = address(server, SLOWEST_MS)
    const all = [slowest, ...Array.from({ length: MANY - 1 }, (_, n) => other(server, n))]
    const [together, alone]: [number[], number[]] = [[], []]
    for (let round = 0; round < rounds; round++) {
      together.push(await timed(all))
      alone.push(await timed([slowest]))
    }
    return [row(together, alone)]
  } finally {
    server.close()
  }
}

function address(server: Server, ms: number): Check {
  return http({ name: `address ${ms}`, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${ms}`, json: { status: 'ok' } })
}

/** Of ten: eight addresses, a figure that Node reads, and one that a command reads. */
function other(server: Server, n: number): Check {
  if (n % 10 === 8) return disk({ path: '/', freePercent: 0 })
  if (n % 10 === 9) return { name: `command ${n}`, kind: 'bench', limitMs: LIMIT_MS, look: command }
  return address(server, (n * 5) % (SLOWEST_MS - 50))
}

async function command(doing: Doing): Promise<Look> {
  const { stdout } = await mustRun({ file: 'df', argv: ['-Pk', '/'] }, doing)
  return { is: 'healthy', says: stdout }
}

/** How long all of them take together, in milliseconds; throws when one is not well, because the time of a failure is no figure. */
async function timed(checks: readonly Check[]): Promise<number> {
  const began = performance.now()
  const found = await lookAtAll(checks, doing)
  const ms = performance.now() - began
  const bad = found.find(({ is }) => is !== 'healthy')
  if (bad) throw new Error(`${bad.name}: ${bad.says}`)
  return ms
}

function row(together: readonly number[], alone: readonly number[]): Row {
  const more = median(together.map((ms, round) => ms - alone[round]!))
  const ratio = median(together.map((ms, round) => ms / alone[round]!))
  return {
    name: `${MANY} checks at once against the slowest alone`,
    ours: `${Math.round(median(together))} ms`,
    rival: `${Math.round(median(alone))} ms`,
    result: `${ratio.toFixed(2)} x (+ ${Math.round(more)} ms)`,
    required: `≤ + ${MOST_MORE_MS} ms`,
    ok: more <= MOST_MORE_MS,
    figures: { together, alone, moreMs: more, ratio },
  }
}
