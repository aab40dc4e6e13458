import { createHash, scrypt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { redact, Secret, textOf } from '../../plan/secrets.ts'
import type { Bundle } from '../platform.ts'
import { envFile, type Site, variableOf } from './site.ts'
import { lastWords, said, typed } from './there.ts'

/** Files by name, as they go to the host. */
export type Files = Readonly<Record<string, Buffer>>

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/** SHA-256 of every file. */
export const hashes = (files: Files): Record<string, string> =>
  Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, sha256(bytes)]))

/** Files that belong to a release: app.yaml, everything in `app/`, and the variables of the stack file that are no secrets, as `environment`. */
export async function releaseFiles(site: Site): Promise<Files> {
  const files = await filesIn(site, name => name === 'app.yaml' || name.startsWith('app/'))
  if (!files['app.yaml']) throw missing(site, 'app.yaml')
  return { ...files, environment: Buffer.from(envFile(variables(site, false))) }
}

/** Files of the edge: edge.yaml, and the folders beside it that it names but for those that are made on each host. */
export async function edgeFiles(site: Site): Promise<Files> {
  const { 'edge.yaml': edge } = await filesIn(site, name => name === 'edge.yaml')
  if (!edge) throw missing(site, 'edge.yaml')
  const named = new Set([...edge.toString('utf8').matchAll(/\.\/([\w-]+)/g)].map(([, folder = '']) => folder))
  for (const own of ['secrets', 'runbooks', 'tls']) named.delete(own)
  return await filesIn(site, name => name === 'edge.yaml' || (name.includes('/') && named.has(name.slice(0, name.indexOf('/')))))
}

/** Variables of the stack file: those with secret values, or the others. */
export function variables({ options }: Site, hidden: boolean): Record<string, string> {
  const chosen = Object.entries(options.environment ?? {}).filter(([, value]) => value instanceof Secret === hidden)
  return Object.fromEntries(chosen.map(([name, value]) => [name, textOf(value)]))
}

/** Files of the assets that are wanted, without hidden ones and pages. */
export async function filesIn({ options: { files } }: Site, wanted: (name: string) => boolean): Promise<Files> {
  const entries = existsSync(files) ? await readdir(files, { recursive: true, withFileTypes: true }) : []
  const names = entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(files.replace(/\/+$/, '').length + 1))
    .filter(name => wanted(name) && !/(^|\/)\.|\.md$/.test(name))
    .sort()
  return Object.fromEntries(await Promise.all(names.map(async name => [name, await readFile(join(files, name))] as const)))
}

/** A file that has to be written. */
export const missing = ({ options }: Site, name: string) =>
  new Trouble(3, `${join(options.files, name)} is not there`, { next: [`write it, or point files: of the platform at the folder that has it`] })

/** Fingerprints of everything that is given to a release in secret; computing one takes long on purpose, so that guessing takes longer. */
export async function fingerprints({ setting, options }: Site): Promise<Record<string, string>> {
  const hidden = Object.entries(options.environment ?? {}).filter(([, value]) => value instanceof Secret)
  const all = [...Object.entries(options.secrets ?? {}), ...hidden]
  const one = async ([name, value]: (typeof all)[number]) => {
    const bytes = (await promisify(scrypt)(textOf(value), `runbooks:${setting.stack}/${setting.environment}/${name}`, 8)) as Buffer
    return [name, bytes.toString('hex')] as const
  }
  return Object.fromEntries(await Promise.all(all.map(one)))
}

/** What a release made now would have; Trouble(3) with Compose's own words for a file that it does not take. */
export async function draftOf(site: Site, doing: Doing): Promise<Pick<Bundle, 'files' | 'secrets'>> {
  const [files, secrets] = await Promise.all([releaseFiles(site), fingerprints(site)])
  await checked(site, files, doing)
  return { files: hashes(files), secrets }
}

/** Prints what Compose makes of app.yaml, which comes on stdin; nothing else of the folder is needed for that. */
export const CONFIG = `folder=$(mktemp -d) && cd "$folder" && cat >app.yaml || exit 1
for name; do export "$name"; done
docker compose --env-file /dev/null -p check -f app.yaml config --format json
code=$?
cd / && rm -rf -- "$folder"
exit $code`

type Config = { readonly services?: Readonly<Record<string, unknown>>; readonly secrets?: Readonly<Record<string, { readonly file?: string }>> }

/** Files that Compose has taken, by their hashes. */
const taken = new Set<string>()

const SECRETS = '/runbooks-secrets'

async function checked(site: Site, files: Files, doing: Doing): Promise<void> {
  const given = Object.keys(site.options.secrets ?? {})
  const services = site.setting.services.map(({ name }) => name)
  const key = JSON.stringify([site.where, site.options.project, hashes(files), given, services])
  if (taken.has(key)) return
  const app = join(site.options.files, 'app.yaml')
  const names = site.setting.services.map(({ name }) => `${variableOf(name)}_VERSION=0`)
  const plainly = Object.entries(variables(site, false)).map(([name, value]) => `${name}=${value}`)
  const hidden = Object.keys(variables(site, true)).map(name => `${name}=hidden`)
  const args = [
    ...names,
    ...plainly,
    ...hidden,
    'SLOT=blue',
    'RUNBOOKS_RELEASE=check',
    `EDGE_PROJECT=${site.options.project}`,
    `SECRETS_DIR=${SECRETS}`,
  ]
  const { code, stdout, stderr } = await said(site, CONFIG, doing, args, files['app.yaml']?.toString('utf8') ?? '')
  const look = [typed('docker', 'compose', '-f', app, 'config')]
  if (code !== 0) throw new Trouble(3, `${app} is not valid: ${redact(lastWords(stderr)).replaceAll(/\/\S*\/app\.yaml/g, 'app.yaml')}`, { look })
  const config = JSON.parse(stdout) as Config
  const unknown = site.setting.services.find(({ name }) => !config.services?.[name])
  if (unknown) throw new Trouble(3, `${app} has no service ${unknown.name}, which the stack file names`, { look })
  const wanted = Object.values(config.secrets ?? {}).flatMap(({ file }) => (file?.startsWith(`${SECRETS}/`) ? [file.slice(SECRETS.length + 1)] : []))
  const absent = wanted.find(name => !given.includes(name))
  if (absent) {
    const next = [`add ${absent}: secret('…') to secrets of compose({ … }) in config/${site.setting.stack}.ts`]
    throw new Trouble(3, `${app} wants the secret ${absent}, which the stack file does not give`, { next })
  }
  taken.add(key)
}
