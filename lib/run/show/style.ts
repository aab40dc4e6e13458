import { Chalk } from 'chalk'

/** Colours by meaning; each returns its text unchanged where colours are off. */
export type Style = {
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
  readonly warn: (text: string) => string
  readonly undo: (text: string) => string
  readonly dim: (text: string) => string
  readonly bold: (text: string) => string
}

/** What is read of an output stream to know who looks at it. */
export type Screen = { readonly isTTY?: boolean | undefined; readonly columns?: number | undefined; readonly rows?: number | undefined }

/** The environment variables by which a person says what a screen can show. */
export type Env = Readonly<Record<string, string | undefined>>

const same = (text: string): string => text

/** The style without colours, for files, pipes and golden screens. */
export const plain: Style = { good: same, bad: same, warn: same, undo: same, dim: same, bold: same }

/** True for a variable that is set to anything but nothing, `0` or `false`. */
function isOn(value: string | undefined): boolean {
  return value !== undefined && !['', '0', 'false'].includes(value)
}

/** True where a machine reads: CI systems set `CI`, some to `false` on a person's desk. */
export function isCI(env: Env): boolean {
  return isOn(env.CI)
}

/** True where colours and redrawn lines are wanted: a terminal, and neither NO_COLOR (no-color.org), TERM=dumb nor CI. */
export function isLively(screen: Screen, env: Env): boolean {
  return screen.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb' && !isCI(env)
}

/** The style for one stream; only the 16 colours that a terminal's own theme makes readable. */
export function styleFor(screen: Screen, env: Env): Style {
  if (!isLively(screen, env)) return plain
  const chalk = new Chalk({ level: 1 })
  return { good: chalk.green, bad: chalk.red, warn: chalk.yellow, undo: chalk.magenta, dim: chalk.dim, bold: chalk.bold }
}

/** Columns to lay out for: the terminal's, at least 40 and at most 100, and 80 where there is none. */
export function widthOf(screen: Screen): number {
  return Math.min(100, Math.max(40, screen.columns ?? 80))
}
