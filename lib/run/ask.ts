import { Secret } from '../plan/secrets.ts'
import { isCI } from './show/style.ts'

/** No answer: Ctrl-C, the end of input, or a deadline (then the given signal is aborted). Null, so that no `if` takes it for a yes. */
export type Cancelled = null

/** The streams of a conversation; tests bring their own. */
export type Terminal = {
  readonly stdin: NodeJS.ReadableStream & { isTTY?: boolean }
  readonly stdout: NodeJS.WritableStream & { isTTY?: boolean }
  readonly stderr: NodeJS.WritableStream & { isTTY?: boolean }
}

/** When a question ends by itself, and where it is put. */
export type Asking = { readonly signal?: AbortSignal; readonly terminal?: Terminal }

/** One possible answer; `disabled` gives the reason why it cannot be chosen, `short` what is left on the screen once it is. */
export type Choice<T> = { readonly value: T; readonly name: string; readonly short?: string; readonly hint?: string; readonly disabled?: string }

/** True where a person sits: both stdin and stdout are terminals, and this is not a CI system, which may pretend to be one. */
export function canAsk(
  terminal: Pick<Terminal, 'stdin' | 'stdout'> = process,
  env: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  return terminal.stdin.isTTY === true && terminal.stdout.isTTY === true && !isCI(env)
}

type Context = { readonly input: NodeJS.ReadableStream; readonly output: NodeJS.WritableStream; readonly signal: AbortSignal }

/** Names of the library's errors that mean: no answer. */
const NO_ANSWER: ReadonlySet<string> = new Set(['ExitPromptError', 'AbortPromptError', 'CancelPromptError'])

/** Puts one question and maps every way of not answering to null. */
async function put<T>(question: (context: Context) => Promise<T>, { signal, terminal = process }: Asking): Promise<T | Cancelled> {
  const ended = new AbortController()
  const end = (): void => ended.abort()
  // At the end of input the library waits for ever, as long as something else keeps the process alive.
  const onKey = (_: unknown, key?: { readonly ctrl?: boolean; readonly name?: string }): void => {
    if (key?.ctrl && key.name === 'd') end()
  }
  const input = terminal.stdin
  input.on('end', end).on('close', end).on('error', end).on('keypress', onKey)
  // stdout is the result's; it is asked on only where stderr goes to a file and nobody would see the question.
  const output = terminal.stderr.isTTY ? terminal.stderr : terminal.stdout
  try {
    return await question({ input, output, signal: signal ? AbortSignal.any([signal, ended.signal]) : ended.signal })
  } catch (error) {
    if (error instanceof Error && NO_ANSWER.has(error.name)) return null
    throw error
  } finally {
    input.off('end', end).off('close', end).off('error', end).off('keypress', onKey)
  }
}

function listed<T>(choices: readonly Choice<T>[]): { value: T; name: string; short: string; description?: string; disabled: string | false }[] {
  return choices.map(({ value, name, short, hint, disabled }) => ({
    value,
    name,
    short: short ?? name,
    ...(hint === undefined ? {} : { description: hint }),
    disabled: disabled ?? false,
  }))
}

/** Lines of a list shown at once: they fit on 24 rows with the screen above. */
const PAGE = 12

/** One of several; the cursor rests on `preselected`, else on the first that can be chosen. Throws when none can be. */
export async function select<T>(
  message: string,
  choices: readonly Choice<T>[],
  asking: Asking & { readonly preselected?: T } = {},
): Promise<T | Cancelled> {
  const { select: ask } = await import('@inquirer/prompts')
  // Left to itself the library's cursor may rest on a choice that cannot be chosen.
  const preselected = asking.preselected ?? choices.find(choice => choice.disabled === undefined)?.value
  return put(
    context =>
      ask<T>(
        { message, choices: listed(choices), pageSize: PAGE, loop: false, ...(preselected === undefined ? {} : { default: preselected }) },
        context,
      ),
    asking,
  )
}

/** Any of several, at least one. */
export async function checkbox<T>(
  message: string,
  choices: readonly (Choice<T> & { readonly checked?: boolean })[],
  asking: Asking = {},
): Promise<T[] | Cancelled> {
  const { checkbox: ask } = await import('@inquirer/prompts')
  const shown = listed(choices).map((choice, i) => ({ ...choice, checked: choices[i]?.checked === true && choice.disabled === false }))
  return put(context => ask<T>({ message, choices: shown, pageSize: PAGE, loop: false, required: true }, context), asking)
}

/** A line of text; `check` returns what is wrong with it, or undefined. */
export async function input(
  message: string,
  asking: Asking & { readonly otherwise?: string; readonly check?: (text: string) => string | undefined } = {},
): Promise<string | Cancelled> {
  const { input: ask } = await import('@inquirer/prompts')
  const { otherwise, check } = asking
  const validate = (text: string): true | string => check?.(text.trim()) ?? true
  const text = await put(
    context => ask({ message, validate, ...(otherwise === undefined ? { required: true } : { default: otherwise }) }, context),
    asking,
  )
  return text === null ? null : text.trim()
}

/** Yes or no. Enter means yes only for work that adds and takes nothing away (`additive`), else no. */
export async function confirm(message: string, asking: Asking & { readonly additive: boolean }): Promise<boolean | Cancelled> {
  const { confirm: ask } = await import('@inquirer/prompts')
  return put(context => ask({ message, default: asking.additive }, context), asking)
}

/** A passphrase, not shown while it is typed; undefined when the question was cancelled. */
export async function passphrase(message: string, asking: Asking = {}): Promise<Secret | undefined> {
  const { password } = await import('@inquirer/prompts')
  const said = await put(context => password({ message, mask: false }, context), asking)
  return said === null ? undefined : new Secret(message, said)
}

/** True when the word was typed exactly; Enter alone is false, anything else is asked again. */
export async function typed(message: string, word: string, asking: Asking = {}): Promise<boolean | Cancelled> {
  const { input: ask } = await import('@inquirer/prompts')
  const validate = (text: string): true | string =>
    text.trim() === word || text.trim() === '' || `Type ${word} exactly, or clear the line and press Enter to stop`
  const text = await put(context => ask({ message, validate }, context), asking)
  return text === null ? null : text.trim() === word
}
