import type { Doing } from '../../../plan/plan.ts'
import { redact } from '../../../plan/secrets.ts'
import type { ConfiguredState } from '../../configured.ts'
import { type Container, LOOKS, parsed } from '../containers.ts'
import type { Site } from '../site.ts'
import { runs, wrongWith } from '../standing.ts'
import { looked, sections } from '../there.ts'
import { type Place, placeOf } from './place.ts'
import { type InUse, saysOf } from './proof.ts'
import { FILES, filesFrom } from './put.ts'

/** Prints the sections `release`, `applied`, `files` of folder $1, `containers` and `images` of service $3 of project $2, and `log`, its last lines. */
const STATE = `${LOOKS}
${FILES}
echo @@release; cat "$1/release" 2>/dev/null
echo @@applied; cat "$1/applied" 2>/dev/null
echo @@files; files_of "$1" || exit 9
ids=$(docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$2" --filter "label=com.docker.compose.service=$3" --filter label=com.docker.compose.oneoff=False) || exit 9
stood $ids || exit 9
echo @@log; for id in $ids; do docker logs --tail 5 "$id" 2>&1; done
exit 0`

/** How a configured service stands, and what it says of itself. */
export async function stateOf(site: Site, name: string, doing: Doing): Promise<ConfiguredState> {
  const place = placeOf(site, name)
  const parts = sections(await looked(site, STATE, doing, [place.live, place.project, name]))
  const containers = parsed(parts.containers ?? '[]', parts.images ?? '')
  const container = containers.find(runs) ?? containers[0]
  const files = filesFrom(parts.files ?? '')
  const state = {
    release: parts.release?.trim() || null,
    files,
    runs: container?.status === 'running',
    version: container?.version ?? null,
    digest: container?.digest ?? null,
  }
  if (container?.status !== 'running') return { ...state, says: null, ...notRunning(container, redact(parts.log ?? '').trim()) }
  const says = await told(site, place, container, files, Number(parts.applied?.trim().replace(/\.\D*$/, '') || 'NaN'), doing)
  return { ...state, ...says, ...(says.wrong === null ? {} : { log: redact(parts.log ?? '').trim() }) }
}

/** Exits after which a container is not waited for: the first may be a stumble at the start. */
const STRIKES = 2

function notRunning(container: Container | undefined, log: string) {
  const wrong = container ? (wrongWith(container) ?? 'it does not run') : 'it does not run'
  if (log === '') return { wrong }
  return { wrong: `${wrong}: ${log.split('\n').at(-1)}`, log, ...(container && container.restarts >= STRIKES ? { doomed: true as const } : {}) }
}

async function told(site: Site, place: Place, container: Container, files: ConfiguredState['files'], applied: number, doing: Doing) {
  const names = Object.keys(files ?? {})
  const use: InUse = {
    names,
    read: name => textOf(site, place, name, files?.[name], doing),
    // Without files of ours nothing can have been read since.
    appliedMs: Number.isFinite(applied) ? applied * 1_000 : Number.POSITIVE_INFINITY,
    startedMs: container.startedMs,
  }
  const { says, wrong } = await saysOf(site, place.service, use, doing)
  if (wrong !== null) return { says, wrong }
  const waits =
    container.health === 'starting' ? 'its health check has not passed yet' : container.health === 'unhealthy' ? wrongWith(container) : undefined
  return { says, wrong: waits ?? null }
}

/** Texts of files in use by their hash, so that looking again asks for none twice. */
const texts = new Map<string, string>()

async function textOf(site: Site, { live }: Place, name: string, hash: string | undefined, doing: Doing): Promise<string> {
  const known = hash === undefined ? undefined : texts.get(hash)
  if (known !== undefined) return known
  const found = await looked(site, 'cat -- "$1"', doing, [`${live}/files/${name}`])
  if (hash !== undefined) texts.set(hash, found)
  return found
}
