import { inspect } from 'node:util'

/** A value that prints as `***` wherever it is printed by accident; `reveal()` is called only where the bytes leave for the tool that needs them. */
export class Secret {
  readonly #value: string
  readonly name: string

  constructor(name: string, value: string) {
    this.name = name
    this.#value = value
    if (value.length >= SHORTEST_REDACTED) known.add(value)
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '***'
  }

  toJSON(): string {
    return '***'
  }

  [inspect.custom](): string {
    return '***'
  }
}

/** A setting as it is given to a program, whether it is secret or not. */
export const textOf = (value: string | Secret): string => (value instanceof Secret ? value.reveal() : value)

/** A secret that is not set on this machine: whoever needs it is told so, and who does not can go on without it. */
export class Unset extends Secret {
  readonly #because: unknown

  constructor(name: string, because: unknown) {
    super(name, '')
    this.#because = because
  }

  override reveal(): string {
    throw this.#because
  }
}

/** Shorter values are left alone in foreign text, where replacing them would hide more than it protects. */
const SHORTEST_REDACTED = 4

const known = new Set<string>()

/** The forms in which a tool may repeat a secret in its messages. */
function forms(value: string): string[] {
  const json = JSON.stringify(value).slice(1, -1)
  const component = encodeURIComponent(value)
  // Go's and Python's tools encode what JavaScript leaves alone, and forms write a space as a plus.
  const strict = component.replace(/[!'()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
  return [
    value,
    json,
    component,
    strict,
    strict.replaceAll('%20', '+'),
    encodeURI(value),
    ...value.split('\n').filter(line => line.length >= SHORTEST_REDACTED),
  ]
}

/** Foreign text (stderr, error messages) with every known secret replaced by `***`, longest first. */
export function redact(text: string): string {
  const all = [...new Set([...known].flatMap(forms))].sort((a, b) => b.length - a.length)
  return all.reduce((said, form) => said.replaceAll(form, '***'), text)
}
