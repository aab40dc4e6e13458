import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const file = (world: string) => join(world, 'log')

/** Every effect that a toy verb ever had, oldest first, as `<name> <value>`; the world is what this log says last. */
export function effects(world: string): string[] {
  try {
    return readFileSync(file(world), 'utf8').trimEnd().split('\n').filter(Boolean)
  } catch {
    return []
  }
}

/** One effect, as something else than a toy verb would have it. */
export const have = (world: string, name: string, value: string | null) => appendFileSync(file(world), `${name} ${value ?? '-'}\n`)

/** What a thing of the world is now; null when it is not there. */
export function valueIn(world: string, name: string): string | null {
  const value = effects(world)
    .findLast(line => line.startsWith(`${name} `))
    ?.slice(name.length + 1)
  return value === undefined || value === '-' ? null : value
}

/** Everything that is there now. */
export function everything(world: string): Record<string, string> {
  const names = [...new Set(effects(world).map(line => line.slice(0, line.indexOf(' '))))].sort()
  return Object.fromEntries(names.flatMap(name => (valueIn(world, name) === null ? [] : [[name, valueIn(world, name) as string]])))
}

/** Effects that were had twice in a row: work that was done although it stood already. */
export function doubled(world: string): string[] {
  const last = new Map<string, string>()
  return effects(world).filter(line => {
    const name = line.slice(0, line.indexOf(' '))
    const twice = last.get(name) === line && !line.endsWith(' half')
    last.set(name, line)
    return twice
  })
}

/** What a toy's shell script does: a nap of some seconds, then its effect; by way of a half-done state, or failing, or lying about it. */
export type Doings = { readonly nap: number; readonly half: boolean; readonly ends?: 'breaks' | 'lies' | undefined }

/** The shell script that has an effect. */
export function script(world: string, name: string, value: string | null, { nap, half, ends }: Doings): string {
  const write = (text: string) => `echo '${name} ${text}' >> '${file(world)}'`
  return [
    ...(half ? [write('half')] : []),
    `: > '${join(world, `began.${name}`)}'`,
    `sleep ${nap}`,
    ends === 'breaks' ? 'exit 1' : ends === 'lies' ? 'exit 0' : write(value ?? '-'),
  ].join(' && ')
}
