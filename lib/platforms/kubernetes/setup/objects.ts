import { Trouble } from '../../../plan/outcome.ts'
import type { Action, Doing } from '../../../plan/plan.ts'
import { pooled } from '../../../plan/pool.ts'
import type { SetupState } from '../../setup.ts'
import { ApiError } from '../api.ts'
import { APPLY, applied } from '../apply.ts'
import { type Manifest, nameOf } from '../objects.ts'
import { folderOf, removeAll } from '../resources.ts'
import { MANAGER, type Site } from '../site.ts'
import { differences } from './difference.ts'

/** How an object stands, and in what it would become another. */
export type Standing = { readonly name: string; readonly is: SetupState; readonly says: readonly string[] }

/** How often an object is looked at again that changes while it is looked at: what has just been made changes a few times. */
const LOOKS_AGAIN = 5

/** Objects looked at at once. */
const LOOKERS = 8

/** How objects stand next to what the server says they would be; nothing is changed. Trouble(3) for what it would refuse. */
export function standingOf(site: Site, objects: readonly Manifest[], doing: Doing): Promise<readonly Standing[]> {
  return pooled(objects, LOOKERS, object => standing(site, object, doing))
}

async function standing(site: Site, object: Manifest, doing: Doing): Promise<Standing> {
  const name = nameOf(object)
  const path = await pathOf(site, object, doing)
  for (let left = LOOKS_AGAIN; ; left -= 1) {
    const found = await site.kube.api.find<Manifest>(path, { doing })
    // A job can be neither changed nor repeated.
    if (found && object.kind === 'Job') return { name, is: 'right', says: [] }
    const would = await tried(site, object, path, doing)
    if (!found || !would) return { name, is: 'missing', says: [] }
    // A controller has written to it between the two looks, so they are of two objects.
    if (left > 0 && found.metadata.resourceVersion !== would.metadata.resourceVersion) continue
    const says = differences(found, would)
    return { name, is: says.length === 0 ? 'right' : 'differs', says }
  }
}

async function pathOf(site: Site, object: Manifest, doing: Doing): Promise<string> {
  const folder = await folderOf(site, object, doing)
  if (folder === undefined) throw new Trouble(3, `The cluster knows no ${object.kind} (${object.apiVersion}), which ${site.options.overlay} has`)
  return `${folder}/${object.metadata.name}`
}

/** The object as an apply would leave it; undefined where there is no namespace to try it in. */
async function tried(site: Site, object: Manifest, path: string, doing: Doing): Promise<Manifest | undefined> {
  try {
    const query = `dryRun=All&fieldManager=${MANAGER}`
    return await site.kube.api.send<Manifest>('PATCH', `${path}?${query}`, {
      body: object,
      type: 'application/apply-patch+yaml',
      patient: true,
      doing,
    })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    if (error.status === 404) return undefined
    if (error.status === 409)
      throw new Trouble(3, `Somebody else has set fields of ${nameOf(object)} that the overlay sets too: ${error.message}`, {
        next: ['put their value into the overlay, or undo their change'],
        look: [site.kube.typed('get', object.kind.toLowerCase(), object.metadata.name, '-o', 'yaml', '--show-managed-fields')],
      })
    throw new Trouble(3, `${nameOf(object)} would be refused: ${error.message}`)
  }
}

/** Applies objects with the toolkit's field manager. */
export function apply(site: Site, objects: (doing: Doing) => Promise<readonly Manifest[]>, names: readonly string[]): Action {
  return {
    kind: 'command',
    prints: `${site.kube.typed(...APPLY)}   # ${names.length} from ${site.options.overlay}: ${names.join(', ')}`,
    async run(doing) {
      await applied(site, await objects(doing), doing, 'for good')
      return undefined
    },
  }
}

/** Removes objects; those that are gone already are fine. */
export function remove(site: Site, names: readonly string[], objects: (doing: Doing) => Promise<readonly Manifest[]>): Action {
  return {
    kind: 'command',
    prints: site.kube.typed('delete', '--ignore-not-found', ...names),
    async run(doing) {
      const all = await objects(doing)
      const paths = await Promise.all(all.map(async object => ({ path: await pathOf(site, object, doing) })))
      await removeAll(site, paths.reverse(), doing)
      return undefined
    },
  }
}
