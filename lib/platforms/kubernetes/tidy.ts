import type { Action, Doing } from '../../plan/plan.ts'
import type { Bundle } from '../platform.ts'
import { lookAt } from './look.ts'
import { nameOf } from './objects.ts'
import { removable, removeAll } from './resources.ts'
import { LIVE, MARK, type Site } from './site.ts'
import { forget, keptOf, keptReleases } from './stage.ts'
import { slotState } from './standing.ts'

/** What no kept release needs: what is kept of others, and objects that the release which runs has not put there. */
async function surplusOf(site: Site, keep: readonly Bundle[], doing: Doing) {
  const [kept, objects, look] = await Promise.all([keptReleases(site, doing), removable(site, doing), lookAt(site, doing)])
  const names = new Set(keep.map(({ release }) => release))
  const { release: live } = slotState(look)
  const releases = kept.filter(name => !names.has(name) && name !== live)
  // While two releases are mixed, or nothing runs, nobody knows what is needed.
  const one = live !== null && names.has(live) ? live : undefined
  const own = one === undefined ? undefined : await keptOf(site, one, doing)
  const needed = new Set(own?.objects.map(nameOf))
  const left = own ? objects.filter(({ name, release }) => release !== one && !needed.has(name)) : []
  return { releases, left }
}

/** Names of what `tidy` would remove. */
export async function surplus(site: Site, keep: readonly Bundle[], doing: Doing): Promise<readonly string[]> {
  const { releases, left } = await surplusOf(site, keep, doing)
  return [...releases.map(name => `objects kept of ${name}`), ...left.map(({ name, release }) => `${name}, left by ${release}`)]
}

/** Removes the surplus; says what went. */
export function tidy(site: Site, keep: readonly Bundle[]): readonly Action[] {
  return [
    {
      kind: 'command',
      prints: `remove releases but ${keep.map(({ release }) => release).join(', ') || 'none'} from ${site.kube.namespace} (${MARK.stack}=${site.setting.stack}, ${LIVE} stays)`,
      async run(doing) {
        const { releases, left } = await surplusOf(site, keep, doing)
        await removeAll(site, left, doing)
        for (const name of releases) await forget(site, name, doing)
        return { releases, objects: left.map(({ name }) => name) }
      },
    },
  ]
}
