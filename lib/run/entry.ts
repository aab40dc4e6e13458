import { EXITS, Trouble } from '../plan/outcome.ts'
import type { Options } from './options.ts'
import { COMMON, optionLines, parse } from './options.ts'
import type { Definition } from './runbook.ts'

/** The help page of a runbook. */
export function helpPage(definition: Definition<Options, unknown>): string {
  const own = Object.keys(definition.options).length === 0 ? [] : ['', ...optionLines(definition.options)]
  return [
    definition.does,
    '',
    `Usage: npx zx runbooks/${definition.name}.ts [options]`,
    ...own,
    '',
    ...optionLines(COMMON),
    '',
    'A missing option is asked for on a terminal, and read from RUNBOOKS_<OPTION> before that.',
    '',
    'Exit codes:',
    ...EXITS.map(({ exit, word, means }) => `  ${String(exit).padStart(3)}  ${word.padEnd(13)}${means}`),
    '',
  ].join('\n')
}

/** Runs a runbook with its flags to the end of the process. The rest of the engine is loaded only when there is work. */
export async function enter(definition: Definition<Options, unknown>, argv: readonly string[]): Promise<void> {
  const leave = (code: number) => process.stdout.write('', () => process.exit(code))
  process.exitCode = 1
  try {
    const given = parse({ ...COMMON, ...definition.options }, argv, process.env)
    if (given.help?.value) {
      process.stdout.write(helpPage(definition))
      leave(0)
      return
    }
    const { live } = await import('./life.ts')
    leave(await live(definition, given, argv))
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
    // The flags could not be read, but whoever reads the output still gets it in the shape that was asked for.
    const [{ refusedOutcome }, { printOutcome }] = await Promise.all([import('./ends.ts'), import('./show/outcome.ts')])
    const about = { subject: definition.name, runbook: definition.name, timezone: 'UTC' }
    const { stdout, stderr } = printOutcome(refusedOutcome(error, false), about, { json: argv.includes('--json') })
    process.stderr.write(stderr)
    process.stdout.write(stdout)
    leave(error.exit)
  }
}
