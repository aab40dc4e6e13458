import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import type { Bundle } from '../platform.ts'
import { ApiError } from './api.ts'
import { applied } from './apply.ts'
import { filesOf, hashOf, layerOf, rendered, serviceOf } from './manifests.ts'
import { type Manifest, nameOf, templateOf } from './objects.ts'
import { secretsOf } from './references.ts'
import type { Site } from './site.ts'

/** Overlays that a server has taken in a dry run, by what they are. */
const taken = new Set<string>()

/** What a release made now would have; Trouble(3) with the words of kubectl or of the API server for what they do not take. */
export async function draftOf(site: Site, doing: Doing): Promise<Pick<Bundle, 'files' | 'secrets'>> {
  const objects = await rendered(site, doing)
  const unknown = site.setting.services.find(service => !objects.some(object => serviceOf(site, object)?.name === service.name))
  if (unknown)
    throw new Trouble(3, `${site.options.overlay} has nothing that runs ${unknown.name}, which the stack file names`, {
      next: [`name it: workloads: { ${unknown.name}: 'deployment/…' } of kubernetes({ … })`],
    })
  const secrets = await secretsOf(site, objects, doing)
  const key = hashOf([site.where, objects])
  if (!taken.has(key)) {
    await Promise.all([triedByServer(site, objects, doing), podsAdmitted(site, objects, doing)])
    taken.add(key)
  }
  return { files: filesOf(site, objects), secrets }
}

/** Has the server validate, default and admit everything, without keeping anything. */
async function triedByServer(site: Site, objects: readonly Manifest[], doing: Doing): Promise<void> {
  await applied(
    site,
    objects.filter(object => layerOf(site, object) === 'release'),
    doing,
    'dry run',
  )
}

/** Admits one pod of each workload without keeping it: quotas and pod security speak of pods, and not of what makes them. */
async function podsAdmitted(site: Site, objects: readonly Manifest[], doing: Doing): Promise<void> {
  const releases = objects.filter(object => layerOf(site, object) === 'release')
  await Promise.all(
    releases.map(async object => {
      const template = templateOf(object)
      if (!template) return
      const metadata = { ...template.metadata, generateName: `${object.metadata.name}-` }
      const body = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata,
        spec: { ...template.spec, ...(object.kind === 'Job' ? { restartPolicy: 'Never' } : {}) },
      }
      try {
        await site.kube.api.send('POST', `/api/v1/namespaces/${site.kube.namespace}/pods?dryRun=All`, { body, patient: true, doing })
      } catch (error) {
        if (!(error instanceof ApiError)) throw error
        // Whether we may make pods says nothing of whether the cluster's controllers may.
        if (/cannot create resource/.test(error.message)) return
        throw new Trouble(3, `A pod of ${nameOf(object)} would be refused: ${error.message}`, {
          look: [site.kube.typed('describe', 'resourcequota,limitrange')],
        })
      }
    }),
  )
}
