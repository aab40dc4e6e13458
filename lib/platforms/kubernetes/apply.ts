import { CommandFailed } from '../../exec/command.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { pooled } from '../../plan/pool.ts'
import { ApiError } from './api.ts'
import { type Manifest, nameOf, templateOf } from './objects.ts'
import { folderOf } from './resources.ts'
import { MANAGER, type Site } from './site.ts'

/** Arguments with which a person applies the same by hand. */
export const APPLY = ['apply', '--server-side', `--field-manager=${MANAGER}`, '-f', '-'] as const

/** Objects applied at once. */
const HANDS = 8

/** What somebody else has set stands in the way. */
export class Conflict extends Trouble {}

type Refused = { readonly object: Manifest; readonly error: ApiError }

/**
 * Applies objects on the server's side, as `kubectl apply --server-side` does, but over the connection that is open already: a process of kubectl
 * for each try would cost more than all of them. Nothing is ever taken from another manager by force. Trouble(3) for a conflict, which names who
 * changed what, and for what the server does not take; CommandFailed when the apply itself failed.
 */
export async function applied(site: Site, objects: readonly Manifest[], doing: Doing, how: 'for good' | 'dry run'): Promise<void> {
  const refused: Refused[] = []
  for (const wave of wavesOf(objects)) {
    // What is really refused holds up what would stand on it.
    if (refused.length > 0 && how === 'for good') break
    refused.push(...(await pooled(wave, HANDS, object => one(site, object, how, doing))).flat())
  }
  if (refused.length === 0) return
  const words = refused.map(({ object, error }) => `${nameOf(object)}: ${error.message}`).join('\n')
  if (refused.some(({ error }) => error.status === 409)) throw conflict(site, refused, words)
  if (how === 'dry run') throw new Trouble(3, `The server would refuse it: ${words}`, { look: [`kubectl kustomize ${site.options.overlay}`] })
  throw new CommandFailed(`kubectl apply failed: ${words}`, 1, null, words)
}

/** What others stand in comes before them, and settings before the pods that read them. */
function wavesOf(objects: readonly Manifest[]): readonly (readonly Manifest[])[] {
  const wave = (object: Manifest) => (object.kind === 'Namespace' ? 0 : templateOf(object) === undefined ? 1 : 2)
  return [0, 1, 2].map(n => objects.filter(object => wave(object) === n))
}

/** Applies one object; a refusal is given, so that those beside it are still tried, as kubectl does. */
async function one(site: Site, object: Manifest, how: 'for good' | 'dry run', doing: Doing): Promise<Refused[]> {
  try {
    const folder = await folderOf(site, object, doing)
    if (folder === undefined) throw new ApiError(404, 'NotFound', `the cluster knows no ${object.kind} of ${object.apiVersion}`)
    // What is misspelled is refused, and not silently left out.
    const query = `fieldManager=${MANAGER}&fieldValidation=Strict${how === 'dry run' ? '&dryRun=All' : ''}`
    const sent = { body: object, type: 'application/apply-patch+yaml', patient: true, doing }
    await site.kube.api.send('PATCH', `${folder}/${object.metadata.name}?${query}`, sent)
    return []
  } catch (error) {
    if (error instanceof ApiError) return [{ object, error }]
    throw error
  }
}

function conflict(site: Site, refused: readonly Refused[], words: string): Conflict {
  return new Conflict(3, `Somebody else has set fields that the overlay sets too: ${words.replace(/\s+/g, ' ')}`, {
    next: [
      'to keep what they have set: put it into the overlay',
      ...refused.flatMap(one => givenUp(site, one)).map(typed => `to let releases set it again, whatever they find: ${typed}`),
    ],
    look: [site.kube.typed('get', 'deployments', '-o', 'yaml', '--show-managed-fields')],
  })
}

/**
 * The command after which the fields belong to nobody. To set the old value by hand is not enough: whoever set a field last keeps it, and the next
 * version is a conflict again. To apply the overlay by force would put its versions there.
 */
function givenUp(site: Site, { object, error }: Refused): readonly string[] {
  const managers = error.status === 409 ? [...error.message.matchAll(/conflicts? with "([^"]+)"/g)].map(([, manager]) => manager) : []
  const named = [object.kind.toLowerCase(), object.metadata.name]
  return [...new Set(managers)].map(manager => {
    const own = `and (eq $f.manager "${manager}") (not $f.subresource)`
    // Where it stands among the others changes from moment to moment.
    const at = `go-template={{range $i, $f := .metadata.managedFields}}{{if ${own}}}{{$i}}{{end}}{{end}}`
    const path = `/metadata/managedFields/$(${site.kube.typed('get', ...named, '--show-managed-fields', '-o', at)})`
    return `${site.kube.typed('patch', ...named, '--type=json', '-p')} "[{\\"op\\":\\"remove\\",\\"path\\":\\"${path}\\"}]"`
  })
}
