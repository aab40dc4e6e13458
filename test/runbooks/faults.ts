import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect } from 'vitest'
import { journals, type Ran, ROOT, type World } from './kit.ts'

/** The table that operators read; `UPDATE_FAULTS=1` writes it anew, otherwise every row must be as it is written there. */
const FILE = join(ROOT, 'docs/faults.md')
const HEAD = `# What happens when something goes wrong

Each row was made by a test that breaks a real runbook in this way and looks at its exit code, its last line, its journal and the world
(\`test/runbooks/faults*.test.ts\` and \`test/stacks/check-in-releases.test.ts\`, which fail when a row is not what happens;
\`UPDATE_FAULTS=1 npm test -- test/runbooks/faults test/stacks/check-in-releases\` writes it anew).
Names, times and sizes that differ from run to run are written ‹so›. The meaning of the exit codes is in the help of every runbook.
`

/** Text without what differs from run to run. */
export function steady(text: string, world: World): string {
  return text
    .replaceAll(world.folder, '‹folder›')
    .replace(/\d{8}T\d{6}Z-[a-z-]+-r[0-9a-f]{6}/g, '‹run›')
    .replace(/\d{8}T\d{6}Z-r[0-9a-f]{6}/g, '‹backup›')
    .replace(/\d{8}T\d{6}Z-[a-z]+\b/g, '‹backup›')
    .replace(/[A-Z][a-z]{2} \d{1,2} [A-Z][a-z]{2} \d\d:\d\d\b(?!:)/g, '‹day and time›')
    .replace(/\d\d:\d\d:\d\d/g, '‹time›')
    .replace(/127\.0\.0\.1:\d+/g, '‹address›')
    .replace(/\b[\d.,]+ (B|kB|MB|GB)\b/g, '‹size›')
    .replace(/\b[\d.,]+ (ms|s|min)\b/g, '‹span›')
    .replace(/\b[\d,]+ requests\b/g, '‹n› requests')
    .replace(/\b[1-9][\d,]* failed\b/g, '‹n› failed')
    .replaceAll('|', '\\|')
}

type Row = { readonly fault: string; readonly command: string; readonly exit: string; readonly last: string; readonly stood: string }

const lineOf = ({ fault, command, exit, last, stood }: Row) => `| ${fault} | ${command} | ${exit} | \`${last}\` | ${stood} |`

/** The rows of one section; call it once a test file. */
export function faultTable(section: string) {
  const rows: Row[] = []
  const written = () => (existsSync(FILE) ? readFileSync(FILE, 'utf8') : HEAD)

  afterAll(() => {
    if (process.env.UPDATE_FAULTS) writeFileSync(FILE, replaced(written(), section, rows))
  })

  return {
    /** Adds what happened, and fails when the table says something else. */
    row(fault: string, command: string, ran: Ran, stood: string, world: World): void {
      agrees(ran, world)
      const row = {
        fault,
        command: `\`${command}\``,
        exit: String(ran.exit ?? ran.signal),
        last: steady(ran.last, world) || '(nothing: it died)',
        stood,
      }
      rows.push(row)
      if (!process.env.UPDATE_FAULTS)
        expect(written().split('\n'), `${fault}: not in docs/faults.md; UPDATE_FAULTS=1 writes it`).toContain(lineOf(row))
    },
    /** The faults of this section that the table knows, to be compared with those that were tested. */
    known: () => sectionOf(written(), section).flatMap(line => (/^\| (?!Fault|---)/.test(line) ? [line.split(' | ')[0]?.slice(2) ?? ''] : [])),
    made: () => rows.map(row => row.fault),
  }
}

function sectionOf(text: string, section: string): string[] {
  return (text.split(/^## /m).find(part => part.startsWith(`${section}\n`)) ?? '').split('\n')
}

function replaced(text: string, section: string, rows: readonly Row[]): string {
  const body = `${section}\n\n| Fault | Runbook | Exit | Last line | What stood afterwards |\n| --- | --- | --- | --- | --- |\n${rows.map(lineOf).join('\n')}\n`
  const others = text
    .split(/^## /m)
    .slice(1)
    .filter(part => !part.startsWith(`${section}\n`))
  return `${HEAD}\n${[...others.map(part => `${part.trimEnd()}\n`), body]
    .sort()
    .map(part => `## ${part}`)
    .join('\n')}`
}

/** Exit code, last line, journal and the end of the log say the same thing, and the streams hold nothing that a log cannot take. */
export function agrees(ran: Ran, world: World): void {
  expect(codesIn(ran.stdout + ran.stderr)).toEqual([])
  if (ran.exit === null) return
  expect(ran.last).toMatch(ran.last.startsWith('{') ? /^\{/ : new RegExp(`\\(exit ${ran.exit}\\)$`))
  const ended = journals(world.home).at(-1)?.entries.at(-1)
  // Before a run of its own, a backup may have told of the dead one that it settled.
  const run = [...ran.stderr.matchAll(/^.* ended .*\(exit (\d+)\)$/gm)].at(-1)
  if (run && ended?.at === 'ended') expect([Number(run[1]), ended.outcome.exit]).toEqual([ran.exit, ran.exit])
}

/** Control characters in an output, line breaks aside: none, where no terminal is there to obey them. */
export function codesIn(text: string): string[] {
  return [...text].filter(letter => (letter < ' ' && letter !== '\n') || letter === '\u009b')
}
