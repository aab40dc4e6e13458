import { canonical } from '../../plan/nodes.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Action, Doing } from '../../plan/plan.ts'
import type { Bundle } from '../platform.ts'
import { type Files, fingerprints, hashes, releaseFiles, variables } from './draft.ts'
import { edgeIsUp } from './edge.ts'
import { PLACE, placed, secretFiles } from './place-files.ts'
import { envFile, pathsOf, type Site, variableOf } from './site.ts'
import { action, done, looked } from './there.ts'

/** Prints the SHA-256 of the files of release folder $1, and `none` when there is none. */
const STAGED = `cd -- "$1" 2>/dev/null || { echo none; exit 0; }
[ -f release.yaml ] || { echo none; exit 0; }
sha256sum environment || exit 1
cd files && find . -type f -exec sha256sum {} +`

/** What is kept of a release; null when nothing is. */
export async function stagedOf(site: Site, release: string, doing: Doing): Promise<Readonly<Record<string, string>> | null> {
  const stdout = await looked(site, STAGED, doing, [pathsOf(site).release(release)])
  if (stdout.trim() === 'none') return null
  const lines = stdout.split('\n').filter(Boolean)
  return Object.fromEntries(lines.map(line => [line.slice(66).replace(/^\.\//, ''), line.slice(0, 64)] as const).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Writes the files and secrets of a bundle, unless they are there already: then they are older than what is here, and go back as they were. */
export function stage(site: Site, bundle: Bundle): readonly Action[] {
  const folder = pathsOf(site).release(bundle.release)
  const write = action(
    `${site.options.files} → ${site.where}:${folder}`,
    async doing => {
      const kept = await stagedOf(site, bundle.release, doing)
      if (kept && canonical(kept) === canonical(bundle.files)) return
      const files = await releaseFiles(site)
      await mustBeDrafted(site, bundle, hashes(files))
      await done(site, 'writing the files of the release', PLACE, doing, [folder], placed(allFiles(site, bundle, files)))
    },
    'transfer',
  )
  return [write, edgeIsUp(site)]
}

async function mustBeDrafted(site: Site, bundle: Bundle, now: Readonly<Record<string, string>>): Promise<void> {
  const next = ['start again: the plan will be made from what is there now']
  const secrets = await fingerprints(site)
  for (const [what, drafted, found] of [
    ['file', bundle.files, now],
    ['secret', bundle.secrets, secrets],
  ] as const) {
    const changed = [...new Set([...Object.keys(drafted), ...Object.keys(found)])].find(name => drafted[name] !== found[name])
    if (changed !== undefined) throw new Trouble(3, `The ${what} ${changed} has changed since the plan was made`, { next })
  }
}

/** Everything of a release: its files, its secrets, its variables, and what pins images and labels. */
function allFiles(site: Site, bundle: Bundle, { environment, ...files }: Files): Files {
  const { project } = site.options
  const folder = pathsOf(site).release(bundle.release)
  const services = Object.entries(bundle.services)
  const values = {
    SLOT: bundle.slot,
    EDGE_PROJECT: project,
    RUNBOOKS_RELEASE: bundle.release,
    RUNBOOKS_DIR: pathsOf(site).traffic,
    SECRETS_DIR: `${folder}/secrets`,
    ...Object.fromEntries(services.map(([name, { image }]) => [`${variableOf(name)}_IMAGE`, image])),
    ...Object.fromEntries(services.map(([name, { version }]) => [`${variableOf(name)}_VERSION`, version])),
    ...variables(site, true),
  }
  const of = (prefix: string, all: Readonly<Record<string, Buffer>>) =>
    Object.fromEntries(Object.entries(all).map(([name, bytes]) => [prefix + name, bytes]))
  return {
    ...of('files/', files),
    ...of('secrets/', secretFiles(site)),
    environment: environment ?? Buffer.alloc(0),
    'release.env': Buffer.from(envFile(values)),
    'images.env': Buffer.alloc(0),
    'release.yaml': pinned(bundle),
  }
}

/** What is put over app.yaml: images by what a pin says, labels, and what `more` has for a service. */
export function pinned(bundle: Bundle, more: (service: string) => object = () => ({})): Buffer {
  const labels = { 'runbooks.release': bundle.release, 'runbooks.slot': `\${SLOT}` }
  const services = Object.entries(bundle.services).map(([name, { version, digest }]) => {
    const own = { ...labels, 'runbooks.version': version, ...(digest === null ? {} : { 'runbooks.digest': digest }) }
    return [name, { image: `\${RUNBOOKS_IMAGE_${variableOf(name)}:?}`, pull_policy: 'never', labels: own, ...more(name) }] as const
  })
  // JSON is YAML.
  return Buffer.from(`${JSON.stringify({ services: Object.fromEntries(services) }, null, 2)}\n`)
}

/** Removes what is kept of a release. */
export function unstage(site: Site, release: string): readonly Action[] {
  const folder = pathsOf(site).release(release)
  return [action(`rm -rf ${folder}`, async doing => void (await done(site, 'removing the files of the release', 'rm -rf -- "$1"', doing, [folder])))]
}
