import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { bareEnv, ROOT, type World } from '../runbooks/kit.ts'

/** The longest wait for a screen: a whole restore of a tiny stack on a busy machine. */
const PATIENCE_MS = 45_000

/** A shell in a real terminal of 80 columns and 24 rows, in the clone's folder, with the settings of a world. */
export class Terminal {
  readonly #socket = `runbooks-${randomBytes(6).toString('hex')}`

  constructor(world: World) {
    const rc = join(world.folder, 'rc')
    // What npx does, without its own start and its notices.
    writeFileSync(rc, `PS1='$ '\nnpx() { shift; ${quoted(process.execPath)} ${quoted(join(ROOT, 'node_modules/.bin/zx'))} "$@"; }\n`)
    const env = { ...bareEnv(world), TERM: 'screen-256color', LANG: 'C.UTF-8' }
    const words = Object.entries(env).map(([name, value]) => quoted(`${name}=${value}`))
    this.#tmux(
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      '-x',
      '80',
      '-y',
      '24',
      '-s',
      'main',
      `exec env -i ${words.join(' ')} bash --rcfile ${quoted(rc)} -i`,
    )
  }

  #tmux(...argv: readonly string[]): string {
    const tmux = ['-u', '-L', this.#socket, ...argv]
    return execFileSync('tmux', tmux, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  }

  /** Types a command on an empty screen and presses Enter. */
  command(line: string): void {
    this.#tmux('send-keys', '-t', 'main', '-l', `clear; ${line}`)
    this.press('Enter')
  }

  /** Types text without Enter. */
  type(text: string): void {
    this.#tmux('send-keys', '-t', 'main', '-l', text)
  }

  press(key: string): void {
    this.#tmux('send-keys', '-t', 'main', key)
  }

  /** The screen as it is, long lines joined. */
  screen(): string {
    const lines = this.#tmux('capture-pane', '-p', '-J', '-t', 'main').split('\n')
    return `${lines
      .map(line => line.trimEnd())
      .join('\n')
      .trimEnd()}\n`
  }

  /** Waits until the screen shows something and stands still; throws with the screen when it never does. */
  async until(shown: RegExp): Promise<string> {
    const end = Date.now() + PATIENCE_MS
    for (let last = ''; Date.now() < end; await pause(150)) {
      const now = this.screen()
      if (shown.test(now) && now === last) return now
      last = now
    }
    throw new Error(`The terminal never showed ${shown}:\n${this.screen()}`)
  }

  end(): void {
    this.#tmux('kill-server')
  }
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \\d{1,2} [A-Z][a-z]{2} \\d\\d:\\d\\d'

/** What differs between two runs, as marks of equal width: times, ids, ages, sizes, durations, who and where. */
const VARYING: readonly (readonly [RegExp, string | ((found: string) => string)])[] = [
  [new RegExp(`${DAY} +(?:\\d+ min )?[\\d.]+ s old +[\\d.]+ k?B`, 'g'), found => `${'Ddd dd Mmm hh:mm'.padEnd(found.length - 18)}#.# s old   #.# kB`],
  [new RegExp(DAY, 'g'), 'Ddd dd Mmm hh:mm'],
  [/\d{8}T\d{6}Z/g, '########T######Z'],
  [/\d{8}t\d{6}z[0-9a-f]{6}/g, '########t######zxxxxxx'],
  [/-r[0-9a-f]{6}\b/g, '-rxxxxxx'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'yyyy-mm-ddThh:mm:ssZ'],
  [/\d\d:\d\d:\d\d/g, 'hh:mm:ss'],
  [/\d+(\.\d)? (min \d\d )?s\b/g, '#.# s'],
  [/\d+(\.\d)? k?B\b/g, '#.# kB'],
  [/[\d.]+ GB free/g, '#.# GB free'],
  [/[\d,]+ requests/g, '### requests'],
  [/longest gap [\d,]+\s+ms/g, 'longest gap ## ms'],
  [/sha256:[0-9a-f]{8}…/g, 'sha256:xxxxxxxx…'],
  [/127\.0\.0\.1:\d+/g, '127.0.0.1:port'],
  [/runbooks-world-\w{6}/g, 'runbooks-world-xxxxxx'],
  [/(object|frames) \d+/g, found => found.replace(/\d/g, '#')],
  [/Node \d+\.\d+\.\d+/g, 'Node 24.x'],
  [/ by \S+@\S+,/g, ' by user@host,'],
  [/none on \S+\./g, 'none on host.'],
]

/** A captured screen without what differs between two runs. */
export function normalised(screen: string): string {
  return VARYING.reduce((text, [found, mark]) => text.replace(found, mark as string), screen)
}

/** Compares a captured screen with the reviewed one in test/golden/tmux; with UPDATE_GOLDEN=yes it becomes the reviewed one. */
export function expectScreen(name: string, screen: string): void {
  const file = join(ROOT, 'test/golden/tmux', `${name}.txt`)
  const now = normalised(screen)
  if (process.env.UPDATE_GOLDEN === 'yes') {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, now)
  }
  expect(now, `${name}; UPDATE_GOLDEN=yes accepts a changed screen`).toBe(existsSync(file) ? readFileSync(file, 'utf8') : '')
}
