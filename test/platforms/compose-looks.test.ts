import { expect, test } from 'vitest'
import type { Host } from '../../lib/exec/host.ts'
import type { Doing } from '../../lib/plan/plan.ts'
import { containersOf } from '../../lib/platforms/compose/containers.ts'
import type { Site } from '../../lib/platforms/compose/site.ts'
import { doing } from '../exec/doing.ts'

/** A host on which nothing stands; what is known of it is how often it is looked at, and it is slow. */
function slowHost(): { site: Site; looks: () => number } {
  let looks = 0
  const script: Host['script'] = async (_, __, { signal }) => {
    looks += 1
    const n = looks
    await new Promise((resolve, reject) => {
      setTimeout(resolve, 50)
      signal.addEventListener('abort', () => reject(signal.reason))
    })
    return { code: 0, signal: null, stdout: `@@containers\n[]\n@@images\n@@split\nlook ${n}`, stderr: '' }
  }
  return { site: { options: { project: 'shop' }, host: { script }, where: 'a slow host' } as unknown as Site, looks: () => looks }
}

const splitOf = async (site: Site, as: Doing = doing()) => (await containersOf(site, 'split.conf', as)).split

test('those who look at the same moment share one look', async () => {
  const { site, looks } = slowHost()
  expect(await Promise.all([splitOf(site), splitOf(site), splitOf(site)])).toEqual(['look 1', 'look 1', 'look 1'])
  expect(looks()).toBe(1)
})

test('who asks while a look is under way is not told what it found, but has one that begins afterwards', async () => {
  const { site } = slowHost()
  const first = splitOf(site)
  await new Promise(resolve => setTimeout(resolve, 20))
  expect(await Promise.all([first, splitOf(site)])).toEqual(['look 1', 'look 2'])
})

test('who shared the look of somebody who is stopped looks again', async () => {
  const { site } = slowHost()
  const stopped = new AbortController()
  const theirs = splitOf(site, { ...doing(), signal: stopped.signal })
  const ours = splitOf(site)
  setTimeout(() => stopped.abort(new Error('told to stop')), 20)
  await expect(theirs).rejects.toThrow('told to stop')
  expect(await ours).toBe('look 2')
})
