import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { redact } from '../../plan/secrets.ts'
import type { PlatformFacts } from '../platform.ts'
import type { Site } from './site.ts'
import { lastWords, said, sections } from './there.ts'

/** The oldest that the files work with: `start_interval` of health checks needs engine 25, lists in `include` Compose 2.24. */
const ENGINE = 25
const COMPOSE = [2, 24] as const

/** Prints the sections `engine`, `compose` and `free` (kilobytes where images are); $1 is the folder of the stack. */
const FACTS = `command -v docker >/dev/null || { echo 'there is no docker here' >&2; exit 7; }
engine=$(docker info -f '{{.ServerVersion}} {{.DockerRootDir}}') || exit 9
echo @@engine; echo "$engine"
echo @@compose; docker compose version --short 2>/dev/null
echo @@free; root=\${engine#* }
{ df -Pk "$root" || df -Pk "$1" || df -Pk /; } 2>/dev/null | tail -n 1
mkdir -p -- "$1" 2>/dev/null; [ -w "$1" ] || { echo "$1 cannot be written to by this user" >&2; exit 6; }
exit 0`

/** Longest wait for a host that may not be there, in milliseconds. */
const PATIENCE_MS = 30_000

/** What a look at Docker and the folder of the stack found; never throws for what an operator can meet. */
export async function factsOf(site: Site, doing: Doing): Promise<PlatformFacts> {
  const bare = { where: site.where, tools: [], freeBytes: null }
  try {
    const limited = { ...doing, signal: AbortSignal.any([doing.signal, AbortSignal.timeout(PATIENCE_MS)]) }
    const { code, stdout, stderr } = await said(site, FACTS, limited, [site.options.directory])
    return code === 0 ? { ...bare, ...found(stdout) } : { ...bare, ...refusal(code, stderr, site) }
  } catch (error) {
    doing.signal.throwIfAborted()
    if (error instanceof Trouble)
      return { ...bare, state: error.exit === 3 ? 'denied' : 'unreachable', because: error.message, ...mended(error.next[0]) }
    if (error instanceof DOMException) return { ...bare, state: 'unreachable', because: `Docker did not answer within ${PATIENCE_MS / 1_000} s` }
    throw error
  }
}

const mended = (mend: string | undefined) => (mend === undefined ? {} : { mend })

function found(stdout: string): Pick<PlatformFacts, 'state' | 'tools' | 'freeBytes'> {
  const parts = sections(stdout)
  const [engine = '', compose = ''] = [parts.engine?.split(' ')[0], parts.compose?.trim()]
  const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(compose) ?? []).slice(1).map(Number)
  const old = major < COMPOSE[0] || (major === COMPOSE[0] && minor < COMPOSE[1])
  const free = Number((parts.free ?? '').trim().split(/\s+/)[3])
  return {
    state: 'answers',
    tools: [
      {
        name: 'docker',
        version: engine,
        ...(Number.parseInt(engine, 10) < ENGINE ? { mend: `install Docker Engine ${ENGINE} or newer on the host` } : {}),
      },
      {
        name: 'docker compose',
        version: compose || null,
        ...(old ? { mend: `install the Compose plug-in ${COMPOSE.join('.')} or newer on the host` } : {}),
      },
    ],
    freeBytes: Number.isFinite(free) ? free * 1_024 : null,
  }
}

function refusal(code: number | null, stderr: string, site: Site): Pick<PlatformFacts, 'state' | 'because'> & { mend?: string } {
  const because = redact(lastWords(stderr, 1)).trim() || `exit ${code}`
  if (code === 6)
    return { state: 'denied', because, mend: `on the host: sudo mkdir -p ${site.options.directory} && sudo chown "$USER" ${site.options.directory}` }
  if (code === 7) return { state: 'unreachable', because, mend: 'install Docker on the host' }
  if (/permission denied/i.test(stderr)) return { state: 'denied', because, mend: 'on the host: sudo usermod -aG docker "$USER", and log in again' }
  return { state: 'unreachable', because, mend: 'on the host: sudo systemctl start docker' }
}

/** The clock of the host. */
export async function timeOf(site: Site, doing: Doing): Promise<string> {
  const { stdout } = await said(site, 'date -u +%Y-%m-%dT%H:%M:%S.%N', doing)
  // Where date knows no nanoseconds, it prints the letter.
  return `${stdout.trim().replace(/\.%?N$/, '')}Z`
}
