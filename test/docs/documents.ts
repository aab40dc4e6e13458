import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../runbooks/kit.ts'

/** The text of a document of this repository. */
export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** The text of the code block of a document that bears a name after its language; throws when there is none or more than one. */
export function block(path: string, name: string): string {
  const found = [...read(path).matchAll(/^```(\w+) ([\w.-]+)\n(.*?)^```$/gms)].filter(([, , named]) => named === name)
  if (found.length !== 1) throw new Error(`${path} has ${found.length} blocks named ${name}`)
  return found[0]?.[3] ?? ''
}

/** Every code block of a document by its name. */
export function blockNames(path: string): string[] {
  return [...read(path).matchAll(/^```\w+ ([\w.-]+)$/gm)].map(([, name]) => name ?? '')
}
