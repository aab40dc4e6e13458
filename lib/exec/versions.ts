import { Trouble } from '../plan/outcome.ts'
import type { Doing } from '../plan/plan.ts'
import { inService, type ServicePlace } from './place.ts'
import { run } from './process.ts'

/** How long programs may take to say their versions, in milliseconds. */
const ANSWER_MS = 20_000

/** What `--version` of each program printed; null for one that is not there, undefined where nobody could ask. */
type Versions = readonly (string | null)[] | undefined

/** Ends each answer with a zero byte; a program that is missing or fails answers with a byte that no version has. */
const ASK = `for tool; do
  if said=$("$tool" --version 2>/dev/null </dev/null); then printf '%s\\0' "$said"; else printf '\\1\\0'; fi
done`

const kept = new WeakMap<object, Promise<Versions>>()

/**
 * What programs say of their versions, here or inside a service, there in one call. `owner` is a part as it was built for a run:
 * for that long an answer is kept, unless a program was missing.
 */
export async function versionsOf(owner: object, files: readonly string[], within: ServicePlace | undefined, doing: Doing): Promise<Versions> {
  const known = kept.get(owner)
  if (known) return known
  const asked = within ? askInside(files, within, doing) : Promise.all(files.map(file => askHere(file, doing)))
  kept.set(owner, asked)
  const found = await asked.catch(error => {
    kept.delete(owner)
    throw error
  })
  if (!found || found.includes(null)) kept.delete(owner)
  return found
}

async function askHere(file: string, doing: Doing): Promise<string | null> {
  try {
    const { code, stdout } = await run({ file, argv: ['--version'] }, doing, { budgetMs: ANSWER_MS })
    return code === 0 ? stdout : null
  } catch (error) {
    if (error instanceof Trouble && error.exit === 3) return null
    throw error
  }
}

async function askInside(files: readonly string[], within: ServicePlace, doing: Doing): Promise<Versions> {
  const ask = { file: 'sh', argv: ['-c', ASK, 'sh', ...files] }
  const answer = await run(inService(within, ask, { input: false }), doing, { budgetMs: ANSWER_MS }).catch(error => {
    doing.signal.throwIfAborted()
    // A way that is not open: whoever asks next is told why.
    if (error instanceof Trouble) return undefined
    throw error
  })
  if (answer?.code !== 0) return undefined
  return answer.stdout
    .split('\0')
    .slice(0, files.length)
    .map(said => (said === '\u0001' ? null : said))
}
