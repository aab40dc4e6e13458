import { effectPoints, entryPoints, kill, type Recovery, type Scene, scenes } from '../runbooks/kill.ts'
import { endWorlds, inParallel } from '../runbooks/kit.ts'
import type { Member } from './run.ts'

const NAMES = ['backup', 'restore', 'undo', 'drill', 'verify']
const BOTH: readonly Recovery[] = ['resume', 'revert']

type Case = { readonly point: string; readonly recovery: Recovery; readonly again?: string; readonly backup?: boolean }

/** Around each journal line with both recoveries, around each change of a file with one of them in turn, and recoveries that are killed themselves. */
function casesOf(scene: Scene): Case[] {
  const entries = entryPoints(scene).flatMap((point, i) => BOTH.map(recovery => ({ point, recovery, backup: i % 4 === 0 })))
  const effects = effectPoints(scene).map((point, i) => ({ point, recovery: BOTH[i % 2] ?? 'revert', backup: i % 8 === 0 }))
  const twice = Array.from({ length: scene.entries }, (_, i) => i + 1).flatMap(n =>
    BOTH.map((recovery, i) => ({ point: `entry:${n}:after`, recovery, again: `entry:${2 + ((n + i) % 5)}:${n % 2 ? 'after' : 'torn'}` })),
  )
  return [...entries, ...effects, ...twice]
}

/** Kills the runbooks of a small stack on this machine at every point, settles each, and looks at the world. MATRIX_ONLY=backup,undo takes these alone. */
const embedded: Member = async tell => {
  let cases = 0
  try {
    for (const scene of await scenes(process.env.MATRIX_ONLY?.split(',') ?? NAMES)) {
      const all = casesOf(scene)
      cases += all.length
      await inParallel(all, 2, async ({ point, recovery, ...more }) => {
        for (const wrong of await kill(scene, point, recovery, more)) tell(wrong)
      })
    }
  } finally {
    endWorlds()
  }
  return { cases }
}

export default embedded
