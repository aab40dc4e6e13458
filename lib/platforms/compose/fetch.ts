import { CommandFailed } from '../../exec/process.ts'
import type { Action, Doing } from '../../plan/plan.ts'
import type { Bundle, Wanted } from '../platform.ts'
import { refused } from './images.ts'
import { inRegistry, OWN_CONFIG } from './registry-login.ts'
import type { Site } from './site.ts'
import { action, lastWords, looked, said, typed } from './there.ts'

/** Where an image is pulled from: by digest where there is one. */
const reference = ({ image, version, digest }: Wanted) => (digest === null ? `${image}:${version}` : `${image}@${digest}`)

/** Prints yes or no for each pair of names: whether the engine has an image under one of them. An engine that says nothing of it does not answer. */
const HAVE = `while [ $# -gt 0 ]; do
said=$(docker image inspect -f '{{.Id}}' "$1" "$2" 2>&1)
if printf '%s\\n' "$said" | grep -q '^sha256:'; then echo yes
else case $said in *'o such image'*) echo no ;; *) echo "$said" >&2; exit 9 ;; esac; fi
shift 2
done`

/** Which images of a bundle are there. */
export async function fetchedOf(site: Site, bundle: Bundle, doing: Doing): Promise<Readonly<Record<string, boolean>>> {
  const services = Object.entries(bundle.services)
  const names = services.flatMap(([, wanted]) => [reference(wanted), wanted.digest ?? reference(wanted)])
  const answers = (await looked(site, HAVE, doing, names)).split('\n')
  return Object.fromEntries(services.map(([name], n) => [name, answers[n] === 'yes']))
}

/** Pulls $2 with the login in folder $1, where there is one, and names it $3: an image without a name is removed by \`docker image prune\`. */
const PULL = `${OWN_CONFIG}
if [ -n "$1" ]; then docker --config "$1" pull --quiet "$2"; else docker pull --quiet "$2"; fi || exit 4
docker tag "$2" "$3"`

/** Pulls what is missing of a bundle, an action an image; equal images are pulled once. */
export function fetch(site: Site, bundle: Bundle): readonly Action[] {
  const images = new Map(Object.values(bundle.services).map(wanted => [reference(wanted), wanted]))
  return [...images].map(([name, wanted]) =>
    action(typed('docker', 'pull', name), async doing => {
      const { it } = await fetchedOf(site, { ...bundle, services: { it: wanted } }, doing)
      if (!it) await pull(site, name, wanted, doing)
    }),
  )
}

async function pull(site: Site, name: string, { image, version }: Wanted, doing: Doing): Promise<void> {
  const failed = (why: string) => new CommandFailed(why, 1, null, why)
  const ended = await inRegistry(site, doing, (_, config) => said(site, PULL, doing, [config, name, `${image}:${version}`]))
  if ('state' in ended) throw failed(ended.because)
  if (ended.code === 0) return
  if (ended.code !== 4) throw failed(`${name} could not be named ${image}:${version}: ${lastWords(ended.stderr)}`)
  const { state, because } = refused(ended.stderr, name)
  throw failed(state === 'unreachable' ? `${name} could not be pulled: ${lastWords(ended.stderr, 1)}` : (because ?? state))
}
