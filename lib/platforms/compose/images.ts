import type { Doing } from '../../plan/plan.ts'
import type { ImageFacts, Wanted } from '../platform.ts'
import { inRegistry } from './registry-login.ts'
import type { Site } from './site.ts'
import { lastWords, looked, sections, typedThere } from './there.ts'

/**
 * For each of the names $3 …, at once: what the engine has of it, else what its registry says. Prints `here_<n>`, or `there_<n>` and
 * `error_<n>`, and the engine's own platform. $1 is a scratch folder, $2 that of the run's
 * registry login or nothing; only what the engine itself takes for an
 * insecure registry may be asked without TLS.
 */
const ASK = `scratch=$1 config=; [ -z "$2" ] || config="--config $2"; shift 2
echo @@platform; docker version -f '{{.Server.Os}}/{{.Server.Arch}}' || exit 9
n=0
for name in "$@"; do
{ docker image inspect "$name" >"$scratch/here_$n" 2>"$scratch/e_$n" || {
case $(cat "$scratch/e_$n") in *'No such image'*) ;; *) cat "$scratch/e_$n" >&2; touch "$scratch/failed" ;; esac
: >"$scratch/here_$n"
insecure=; case $name in 127.*|localhost:*|localhost/*) insecure=--insecure ;; esac
timeout 20 docker $config manifest inspect $insecure -v "$name" >"$scratch/there_$n" 2>"$scratch/error_$n"
[ $? != 124 ] || echo 'no answer within 20 s' >>"$scratch/error_$n"; }; } &
n=$((n+1))
done
wait
[ ! -e "$scratch/failed" ] || exit 9
i=0
while [ $i -lt $n ]; do
for part in here there error; do [ ! -s "$scratch/\${part}_$i" ] || { echo "@@\${part}_$i"; cat "$scratch/\${part}_$i"; echo; }; done
i=$((i+1))
done
exit 0`

/** Whether images can be run, and with which digest: that of a registry where the image has one, else the id that the engine gives it. */
export async function imagesOf(
  site: Site,
  wanted: Readonly<Record<string, Pick<Wanted, 'image' | 'version'>>>,
  doing: Doing,
): Promise<readonly ImageFacts[]> {
  const asked = Object.entries(wanted)
  const names = asked.map(([, { image, version }]) => `${image}:${version}`)
  const answer = await inRegistry(site, doing, (folder, config) => looked(site, ASK, doing, [folder, config, ...names]))
  if (typeof answer !== 'string') {
    const { state, because, mend } = answer
    return asked.map(([service, one]) => ({ service, ...one, state, digest: null, sizeBytes: null, because, mend }))
  }
  const parts = sections(answer)
  const platform = (parts.platform ?? '').trim()
  return asked.map(([service, one], n) => {
    const name = names[n] ?? ''
    const { [`here_${n}`]: here, [`there_${n}`]: there, [`error_${n}`]: error = '' } = parts
    const facts = here ? present(here, one.image, platform) : there ? pullable(there, platform) : refused(error, name)
    const mend =
      facts.state === 'missing' ? `push ${name}, or choose a version that is there` : facts.state === 'denied' ? denial(site, name) : undefined
    return { service, ...one, digest: null, sizeBytes: null, ...facts, ...(mend ? { mend } : {}) }
  })
}

type Found = Pick<ImageFacts, 'state'> & Partial<Pick<ImageFacts, 'digest' | 'sizeBytes' | 'because'>>

type ImageThere = {
  readonly Id: string
  readonly RepoDigests: readonly string[] | null
  readonly Size: number
  readonly Os: string
  readonly Architecture: string
}

function present(text: string, image: string, platform: string): Found {
  const [found] = JSON.parse(text) as readonly ImageThere[]
  if (!found) return { state: 'missing' }
  const digests = found.RepoDigests ?? []
  const own = digests.find(one => one.startsWith(`${image}@`)) ?? digests[0]
  const is = `${found.Os}/${found.Architecture}`
  const facts = { digest: own?.slice(own.indexOf('@') + 1) ?? found.Id, sizeBytes: found.Size }
  return is === platform
    ? { state: 'present', ...facts }
    : { state: 'wrong platform', ...facts, because: `it is for ${is}, and this Docker runs ${platform}` }
}

type Manifest = {
  readonly Descriptor: { readonly digest: string; readonly platform?: { readonly os: string; readonly architecture: string } }
  readonly SchemaV2Manifest?: Layers
  readonly OCIManifest?: Layers
}
type Layers = { readonly layers: readonly { readonly size: number }[]; readonly config: { readonly size: number } }

/** What `docker manifest inspect -v` says: one manifest, or one a platform. The size is that of the compressed layers. */
function pullable(text: string, platform: string): Found {
  const found = [JSON.parse(text) as Manifest | readonly Manifest[]].flat() as readonly Manifest[]
  const names = found.map(({ Descriptor }) => (Descriptor.platform ? `${Descriptor.platform.os}/${Descriptor.platform.architecture}` : platform))
  const ours = found[names.indexOf(platform)]
  if (!ours)
    return {
      state: 'wrong platform',
      because: `it is for ${names.filter(name => !name.startsWith('unknown')).join(', ')}, and this Docker runs ${platform}`,
    }
  const { layers = [], config } = ours.SchemaV2Manifest ?? ours.OCIManifest ?? {}
  const sizeBytes = layers.reduce((sum, { size }) => sum + size, config?.size ?? 0)
  return { state: 'pullable', digest: ours.Descriptor.digest, sizeBytes: sizeBytes || null }
}

/** What a registry's refusal means, by its own words. */
export function refused(words: string, name: string): Found {
  const said = lastWords(words, 1).trim()
  if (/no such manifest|manifest unknown|not found|name unknown|repository does not exist/i.test(words))
    return { state: 'missing', because: `there is no ${name}: ${said}` }
  if (/unauthorized|denied|authentication required|no basic auth|forbidden/i.test(words)) return { state: 'denied', because: `${name}: ${said}` }
  return { state: 'unreachable', because: `${name}: ${said || 'its registry does not answer'}` }
}

function denial(site: Site, name: string): string {
  const { registry } = site.options
  if (!registry)
    return `add registry: { username: …, password: secret('…') } to compose({ … }), or on the host: ${typedThere(site, 'docker', 'login')}`
  return `check user and password of ${registry.server ?? 'Docker Hub'} in the settings, and that this user may read ${name}`
}
