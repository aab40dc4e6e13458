import { join } from 'node:path'
import { canonical } from '../../../plan/nodes.ts'
import { Trouble } from '../../../plan/outcome.ts'
import type { Doing } from '../../../plan/plan.ts'
import { redact } from '../../../plan/secrets.ts'
import type { ConfiguredDraft } from '../../configured.ts'
import type { Bundle } from '../../platform.ts'
import { CONFIG, type Files, filesIn, fingerprints, hashes, missing, variables } from '../draft.ts'
import { secretFiles } from '../place-files.ts'
import { envFile, type Site, variableOf } from '../site.ts'
import { lastWords, said, typed } from '../there.ts'
import { type Place, placeOf } from './place.ts'

/** What `docker compose config` prints, as far as it is needed here. */
export type Composed = {
  readonly services?: Readonly<
    Record<
      string,
      {
        readonly image?: string
        readonly user?: string
        readonly volumes?: readonly { readonly type: string; readonly source?: string; readonly target: string }[]
        readonly secrets?: readonly { readonly source: string }[]
        readonly networks?: Readonly<Record<string, unknown>>
      }
    >
  >
  readonly secrets?: Readonly<Record<string, { readonly file?: string }>>
  readonly networks?: Readonly<Record<string, { readonly name?: string; readonly external?: boolean }>>
}

/** The Compose file and the configuration of a service, and the variables that the Compose file names and that are no secrets, as `environment`. */
export async function configuredFiles(site: Site, { service }: Place): Promise<Files> {
  const { file, folder } = service
  const files = await filesIn(site, name => name === file || (folder !== undefined && name.startsWith(`${folder}/`)))
  if (!files[file]) throw missing(site, file)
  if (folder !== undefined && Object.keys(files).length === 1) throw missing(site, folder)
  return { ...files, environment: Buffer.from(envFile(variablesIn(site, files[file].toString('utf8'), false))) }
}

function variablesIn(site: Site, compose: string, hidden: boolean): Record<string, string> {
  const named = Object.entries(variables(site, hidden)).filter(([name]) => new RegExp(`\\$\\{?${name}\\b`).test(compose))
  return Object.fromEntries(named)
}

/** The same site with the secrets of one service. */
const withSecrets = (site: Site, { service }: Place): Site => ({ ...site, options: { ...site.options, secrets: service.secrets ?? {} } })

/** Where Compose is told that the secrets are, when it is only asked to read its file. */
const SECRETS = '/runbooks-secrets'

/** What a deploy of a service made now would be. */
export async function configuredDraft(site: Site, name: string, doing: Doing): Promise<ConfiguredDraft> {
  const place = placeOf(site, name)
  const files = await configuredFiles(site, place)
  const [secrets, own] = await Promise.all([fingerprints(withSecrets(site, place)), ownImage(site, place, files, doing)])
  return { files: hashes(files), secrets, own }
}

async function ownImage(site: Site, { service }: Place, files: Files, doing: Doing): Promise<ConfiguredDraft['own']> {
  const path = join(site.options.files, service.file)
  const look = [typed('docker', 'compose', '-f', path, 'config')]
  const values = { ...variables(site, false), ...Object.fromEntries(Object.keys(variables(site, true)).map(name => [name, 'hidden'])) }
  const args = [
    ...Object.entries(values).map(([name, value]) => `${name}=${value}`),
    `EDGE_PROJECT=${site.options.project}`,
    `SECRETS_DIR=${SECRETS}`,
  ]
  const { code, stdout, stderr } = await said(site, CONFIG, doing, args, files[service.file]?.toString('utf8') ?? '')
  if (code !== 0) throw new Trouble(3, `${path} is not valid: ${redact(lastWords(stderr)).replaceAll(/\/\S*\/app\.yaml/g, service.file)}`, { look })
  const composed = JSON.parse(stdout) as Composed
  const image = composed.services?.[service.name]?.image
  if (image === undefined) throw new Trouble(3, `${path} has no service ${service.name} with an image, which the stack file names`, { look })
  const wanted = (composed.services?.[service.name]?.secrets ?? []).flatMap(({ source }) => composed.secrets?.[source]?.file ?? [])
  const absent = wanted.map(file => file.slice(SECRETS.length + 1)).find(file => !(file in (service.secrets ?? {})))
  if (absent !== undefined)
    throw new Trouble(3, `${service.name} in ${path} wants the secret ${absent}, which the stack file does not give`, {
      next: [`add ${absent}: secret('…') to secrets of ${service.name} in configured of config/${site.setting.stack}.ts`],
    })
  const [, repository = image, tag = 'latest'] = /^(.*?)(?::([^/]+))?$/.exec(image) ?? []
  return { image: repository, version: tag }
}

/** Everything that is kept of a release of a service; Trouble(3) where it is not what was drafted. */
export async function configuredParts(site: Site, bundle: Bundle): Promise<Files> {
  const place = placeOf(site, bundle.slot)
  const { environment = Buffer.alloc(0), ...files } = await configuredFiles(site, place)
  const secrets = await fingerprints(withSecrets(site, place))
  const now = { files: hashes({ ...files, environment }), secrets }
  if (canonical(now) !== canonical({ files: bundle.files, secrets: bundle.secrets }))
    throw new Trouble(3, `The files or the secrets of ${bundle.slot} have changed since the plan was made`, {
      next: ['start again: the plan will be made from what is there now'],
    })
  const { name, file } = place.service
  const wanted = bundle.services[name]
  const hidden = variablesIn(site, files[file]?.toString('utf8') ?? '', true)
  const labels = {
    'runbooks.version': wanted?.version ?? '',
    ...(wanted?.digest ? { 'runbooks.digest': wanted.digest } : {}),
    // A file that is mounted by itself keeps its old content: other secrets need another container.
    'runbooks.secrets': hashes({ secrets: Buffer.from(canonical(bundle.secrets)) }).secrets,
  }
  const pinned = { image: `\${RUNBOOKS_IMAGE_${variableOf(name)}:?}`, pull_policy: 'never', labels }
  const of = (prefix: string, all: Files) => Object.fromEntries(Object.entries(all).map(([path, bytes]) => [prefix + path, bytes]))
  return {
    ...of('files/', files),
    ...of('secrets/', secretFiles(withSecrets(site, place))),
    environment,
    'service.env': Buffer.from(envFile({ EDGE_PROJECT: site.options.project, SECRETS_DIR: `${place.live}/secrets`, ...hidden })),
    // JSON is YAML.
    'service.yaml': Buffer.from(`${JSON.stringify({ services: { [name]: pinned } }, null, 2)}\n`),
  }
}
