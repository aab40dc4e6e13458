import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

/** A command's time and that of all cores for it and its children, in milliseconds, and the most memory its process held, in MiB (0 where there is no /proc). */
export type Measured = { readonly ms: number; readonly cpuMs: number; readonly peakMib: number; readonly stdout: string }

/** Runs a command to its end; throws when it fails, because the time of a failure is no figure. */
export async function measure(file: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Measured> {
  const began = performance.now()
  const cpuBegan = childrenCpuMs()
  const child = spawn(file, argv, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const closed = once(child, 'close')
  let peakKib = 0
  // The kernel keeps the peak; it only has to be read before the process is gone.
  const watch = setInterval(() => {
    peakKib = Math.max(peakKib, peakOf(child.pid))
  }, 20)
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', chunk => {
    said.stdout += chunk
  })
  child.stderr.on('data', chunk => {
    said.stderr = (said.stderr + chunk).slice(-2_000)
  })
  const [code] = await closed
  clearInterval(watch)
  if (code !== 0) throw new Error(`${file} ${argv.join(' ')} exited ${code}: ${said.stderr}`)
  return { ms: performance.now() - began, cpuMs: childrenCpuMs() - cpuBegan, peakMib: peakKib / 1024, stdout: said.stdout }
}

/** Time of all cores for the children that have ended, and theirs: fields 16 and 17 of /proc/self/stat, in hundredths of a second. */
function childrenCpuMs(): number {
  try {
    const line = readFileSync('/proc/self/stat', 'utf8')
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[13]) + Number(fields[14])) * 10
  } catch {
    return 0
  }
}

function peakOf(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

/** A contest: our figures and the rival's, round by round, and the median of the rounds' ratios (above 1: we are faster). */
export type Contest = {
  readonly ours: readonly Measured[]
  readonly rival: readonly Measured[]
  readonly ratio: number
  readonly ratios: readonly number[]
}

/** Runs both in turn, the first of a round changing, so that a machine that slows down slows both. */
export async function contest(rounds: number, ours: () => Promise<Measured>, rival: () => Promise<Measured>): Promise<Contest> {
  const all = { ours: [] as Measured[], rival: [] as Measured[] }
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? (['ours', 'rival'] as const) : (['rival', 'ours'] as const)
    for (const who of order) all[who].push(await (who === 'ours' ? ours() : rival()))
  }
  const ratios = all.ours.map((measured, round) => all.rival[round]!.ms / measured.ms)
  return { ...all, ratios, ratio: median(ratios) }
}

export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
