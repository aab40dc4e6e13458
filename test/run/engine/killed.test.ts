import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { POINTS } from '../toys/verbs.ts'
import { type Death, die, nameOf } from './killed.ts'

/** The second kill moves on from case to case, so that each point of a recovery is hit; the matrix has every pair. */
const deaths: Death[] = ['put/a', 'build/c'].flatMap((step, s) =>
  POINTS.flatMap((point, p) =>
    (['--resume', '--revert'] as const).map((how, h): Death => {
      const next = POINTS[(p + s + 1) % POINTS.length]
      return { plan: 'main', first: `${step}:${point}`, how, second: h === 0 ? `put/e:${next}` : `take/a:${next}` }
    }),
  ),
)

const PRELOAD = join(import.meta.dirname, '../../runbooks/preload.ts')

const more: Death[] = [
  // Between the local journal and the shared state: the first intent, the end of a step, and the word that the run is being taken back.
  { plan: 'main', first: 'entry:3:after', how: '--resume', preload: PRELOAD },
  { plan: 'main', first: 'entry:6:torn', how: '--resume', preload: PRELOAD, second: 'entry:2:after' },
  { plan: 'main', first: 'entry:9:after', how: '--revert', preload: PRELOAD, second: 'entry:2:after' },
  { plan: 'main', first: 'entry:12:after', how: '--revert', preload: PRELOAD, second: 'entry:4:torn' },
  { plan: 'main', first: 'build/c:running', how: '--resume', lives: true },
  { plan: 'main', first: 'build/c:running', how: '--revert', lives: true },
  { plan: 'main', first: 'put/a:done', how: '--resume', moved: true },
  { plan: 'main', first: 'put/e:verify', how: '--revert', moved: true },
  { plan: 'halves', first: 'grow/g:running', how: '--resume', lives: true },
  { plan: 'halves', first: 'grow/g:running', how: '--revert', second: 'take/g:done' },
]

describe('a run that is killed, and whose recovery is killed too, loses and doubles nothing', () => {
  it.concurrent.each([...deaths, ...more].map(death => [nameOf(death), death] as const))('%s', { timeout: 60_000 }, async (_, death) => {
    expect(await die(death)).toEqual([])
  })
})
