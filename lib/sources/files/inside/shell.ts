import { cannotBeEntered, inService, looksAt, type ServicePlace } from '../../../exec/place.ts'
import { type Command, CommandFailed, prints, run } from '../../../exec/process.ts'
import { Trouble } from '../../../plan/outcome.ts'
import type { Doing } from '../../../plan/plan.ts'
import { MET } from './scripts.ts'

/** A script of ours with its paths, as it runs in the service; what a person would type for it is shown instead. */
export function scripted(place: ServicePlace, script: string, paths: readonly string[], input: boolean): Command {
  return inService(place, { file: 'sh', argv: ['-c', script, 'sh', ...paths] }, { input })
}

/** A command as a person would type it, inside the service. */
export function typed(place: ServicePlace, file: string, ...argv: readonly string[]): string {
  return prints(inService(place, { file, argv }, { input: false }))
}

/** What a script printed; throws what `insideTrouble` makes of a failure. */
export async function told(place: ServicePlace, script: string, paths: readonly string[], doing: Doing): Promise<string> {
  const { code, signal, stdout, stderr } = await run(scripted(place, script, paths, false), doing)
  if (code === 0) return stdout
  throw insideTrouble(new CommandFailed(`it ${code === null ? `was ended by ${signal}` : `exited ${code}`}: ${stderr}`, code, signal, stderr), place)
}

/** The failure of a script as a foreseen one: Trouble(8) where nobody could look, Trouble(3) for a mount point, Trouble(4) or (5) for the rest; other errors stay themselves. */
export function insideTrouble(error: unknown, place: ServicePlace): unknown {
  if (!(error instanceof CommandFailed)) return error
  const { service } = place
  const said = error.stderr.trim().split('\n')[0] ?? ''
  const look = [looksAt(place)]
  if (cannotBeEntered(error.stderr)) return new Trouble(8, `The service ${service} cannot be entered: ${said}`, { look, cause: error })
  switch (error.code) {
    case MET.closed:
      return new Trouble(8, `Could not look inside ${service}: ${said}`, { cause: error })
    case MET.nothingBeside:
      return new Trouble(4, `Nothing is loaded inside ${service}, so there is nothing to swap in`, { cause: error })
    case MET.stray:
      return new Trouble(5, `Something made the live folder inside ${service} between the two renames of the swap, and it is not overwritten`, {
        look,
        cause: error,
      })
    case MET.mount:
      return new Trouble(3, `The folder is a mount point inside ${service}, which cannot be renamed: name a folder below it in the stack file`, {
        cause: error,
      })
    case MET.taken:
      return new Trouble(4, `What would be loaded exists already inside ${service}, and nothing is ever overwritten`, { cause: error })
    case 127:
      return new Trouble(3, `The service ${service} lacks a program: ${said}`, { next: ['it needs sh, tar, find and stat'], cause: error })
  }
  if (/No space left|Disk quota/.test(error.stderr)) return new Trouble(4, `No room left inside ${service}: ${said}`, { cause: error })
  return new Trouble(4, `Inside ${service}: ${said || error.message}`, { cause: error })
}
