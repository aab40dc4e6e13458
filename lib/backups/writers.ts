import { type Command, mustRun, prints, run } from '../exec/process.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Action } from '../plan/plan.ts'
import type { WriterSwitch } from '../platforms/platform.ts'

/** Commands of a stack that stop and start what writes its data; `running` exits 0 while it runs and 1 while it is stopped. */
export function writersByCommand(commands: { readonly stop: Command; readonly start: Command; readonly running: Command }): WriterSwitch {
  const action = (command: Command): Action => ({
    kind: 'command',
    prints: prints(command),
    run: async doing => ({ code: (await mustRun(command, doing)).code }),
  })
  return {
    async running(doing) {
      const { code, stderr } = await run(commands.running, doing)
      if (code !== 0 && code !== 1) throw new Trouble(8, `${prints(commands.running)} exited ${code}: ${stderr}`)
      return code === 0
    },
    stop: () => [action(commands.stop)],
    start: () => [action(commands.start)],
  }
}
