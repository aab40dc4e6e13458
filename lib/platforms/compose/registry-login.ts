import type { Doing } from '../../plan/plan.ts'
import { redact, textOf } from '../../plan/secrets.ts'
import type { ImageFacts } from '../platform.ts'
import type { Site } from './site.ts'
import { lastWords, said } from './there.ts'

/** A refused login, as every image of the registry has it. */
export type Refusal = Required<Pick<ImageFacts, 'state' | 'because' | 'mend'>>

/** Which Docker is meant, before its configuration is another folder: contexts are in the user's. */
export const OWN_CONFIG = `DOCKER_HOST=$(docker context inspect -f '{{.Endpoints.docker.Host}}' 2>/dev/null) || DOCKER_HOST=
if [ -n "$DOCKER_HOST" ]; then export DOCKER_HOST; else unset DOCKER_HOST; fi`

/**
 * Makes a folder that nobody else may enter, for a login of its own: the user's own is neither used up nor overwritten. With $1 it logs in to server $2 as $3, the password coming on stdin.
 */
const OPEN = `umask 077
folder=$(mktemp -d) || exit 1
echo "$folder"
[ -n "$1" ] || exit 0
${OWN_CONFIG}
docker --config "$folder" login --username "$3" --password-stdin $2 >/dev/null`

/** Logs out and removes the folder. */
const CLOSE = `case $1 in /*/tmp.*|/tmp/*) ;; *) exit 1 ;; esac
[ -z "$2" ] || docker --config "$1" logout $3 >/dev/null 2>&1
rm -rf -- "$1"`

/** Work with a scratch folder on the host, which is also the DOCKER_CONFIG (else '') where the stack has a login; a login that is refused is an answer. */
export async function inRegistry<T>(site: Site, doing: Doing, work: (folder: string, config: string) => Promise<T>): Promise<T | Refusal> {
  const { registry } = site.options
  const server = registry?.server ?? ''
  const password = registry ? textOf(registry.password) : undefined
  const opened = await said(site, OPEN, doing, registry ? ['login', server, textOf(registry.username)] : [''], password)
  const folder = opened.stdout.trim()
  try {
    if (opened.code !== 0) return loginRefused(site, opened.stderr)
    return await work(folder, registry ? folder : '')
  } finally {
    // Also when the work was stopped: what was made for the run goes with it.
    if (folder) await said(site, CLOSE, { ...doing, signal: new AbortController().signal }, [folder, registry ? 'login' : '', server])
  }
}

function loginRefused(site: Site, stderr: string): Refusal {
  const { registry } = site.options
  const where = registry?.server ?? 'Docker Hub'
  const words = redact(lastWords(stderr, 1))
  const denied = /unauthorized|denied|incorrect|authentication/i.test(stderr)
  return {
    state: denied ? 'denied' : 'unreachable',
    because: `the login to ${where} ${denied ? 'was refused' : 'failed'}: ${words}`,
    mend: denied ? `check user and password of ${where} in the settings` : `curl -v https://${where}/v2/`,
  }
}
