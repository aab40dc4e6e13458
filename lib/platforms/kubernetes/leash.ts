import { type Child, start } from '../../exec/child.ts'
import { WITHOUT_INPUT } from '../../exec/place.ts'
import type { Doing } from '../../plan/plan.ts'
import { Secret } from '../../plan/secrets.ts'

/** Of what serves every step of a process, and so belongs to none. */
export const nobody = (): Doing => ({ run: '', signal: new AbortController().signal, progress() {}, spawned() {} })

/** When we are gone, the private folder $1 goes as well: also when the shell's own last words find nobody to read them (PIPE). */
const LEASHED = `folder=$1; shift; trap 'rm -rf -- "$folder"' EXIT; trap 'exit 143' TERM INT HUP PIPE\n${WITHOUT_INPUT}`

/** A kubectl that serves us until we end, also when we are killed; `said` is the first that it wrote, undefined when it ended without a word. */
export async function leashed(argv: readonly string[], folder: string): Promise<{ readonly child: Child; readonly said: string | undefined }> {
  const typed = { file: 'kubectl', argv }
  const command = { file: 'sh', argv: ['-c', LEASHED, 'sh', folder, '0', 'kubectl', ...argv], preface: new Secret('nothing', ''), typed }
  const child = await start(command, nobody(), { stdin: 'ignore' })
  const said = await new Promise<string | undefined>(resolve =>
    child.stdout.once('data', (words: Buffer) => resolve(words.toString())).once('close', () => resolve(undefined)),
  )
  child.stdout.resume()
  child.hold(false)
  return { child, said }
}

/** Ends it, and waits until it is gone. */
export async function closed(child: Child): Promise<void> {
  child.hold(true)
  child.stop('closed')
  await child.ended
}
