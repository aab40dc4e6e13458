import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sharedMounts } from '../../lib/platforms/compose/mounts.ts'
import { envFile, envValues } from '../../lib/platforms/compose/site.ts'

const own = ['/srv/shop/.runbooks/rehearsal/r1', '/srv/.media.scratch/media__drill_r1']
const web = (...volumes: { type: string; source?: string; read_only?: boolean }[]) => ({ web: { volumes } })

test.each([
  ['files of its own', { services: web({ type: 'bind', source: `${own[0]}/files/app` }) }, []],
  ['its copy of a folder', { services: web({ type: 'bind', source: own[1] as string }) }, []],
  ['a folder of the host', { services: web({ type: 'bind', source: '/srv/media' }) }, ['web can write to /srv/media']],
  ['a folder that begins like its own', { services: web({ type: 'bind', source: `${own[1]}2` }) }, [`web can write to ${own[1]}2`]],
  ['a folder that it can only read', { services: web({ type: 'bind', source: '/etc/tls', read_only: true }) }, []],
  ['a volume of its own project', { services: web({ type: 'volume', source: 'cache' }), volumes: { cache: {} } }, []],
  [
    'a volume of others',
    { services: web({ type: 'volume', source: 'uploads' }), volumes: { uploads: { external: true } } },
    ['web can write to uploads'],
  ],
  ['memory', { services: web({ type: 'tmpfs' }) }, []],
])('of %s', (_, config, shared) => {
  expect(sharedMounts(config, own)).toEqual(shared)
})

test('values that were written for Compose are read back as they were', () => {
  const values = fc.dictionary(
    fc.stringMatching(/^[A-Z_]{1,8}$/),
    fc.string({ unit: fc.constantFrom('a', "'", '"', '\\', '$', '\n', '\r', ' ', '=', '#', 'é') }),
  )
  fc.assert(
    fc.property(values, given => {
      expect(envValues(Buffer.from(envFile(given)))).toEqual({ ...given })
    }),
  )
})
