// The demo: the stack `demo` is deployed, backed up, its backup proven, its data destroyed, brought back, and the restore taken back; then new
// versions of it are deployed, a good one under load and a bad one, and rolled back. All by the real runbooks, each with the command to type it again.
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { quote } from '../lib/exec/command.ts'
import { count, spent } from '../lib/plan/durations.ts'
import { styleFor } from '../lib/run/show/style.ts'
import { table } from '../lib/run/show/table.ts'
import { home } from '../lib/stack/home.ts'
import { destroyDemo, digestDemo, makeDemo, writeSome } from './data.ts'
import { closeShop, customers } from './front.ts'
import { clearStage, ended, filesIn, rowsIn, runsOf, startRunbook, strangers } from './stage.ts'

const HOME = home()
const FOLDER = join(HOME, 'demo')
const SUBJECT = ['--stack=demo', '--environment=local']
const style = styleFor(process.stdout, process.env)

/** Why the demo stops, with its exit code. */
class Stop extends Error {
  readonly exit: number
  constructor(exit: number, message: string) {
    super(message)
    this.exit = exit
  }
}

const steps: { title: string; ms: number; outcome: string }[] = []
let child: ChildProcess | undefined
let stopped: 130 | 143 | undefined

// The terminal sends Ctrl-C to the runbook, too, which cleans up: the demo ends after it.
process.on('SIGINT', () => {
  stopped = 130
})
process.on('SIGTERM', () => {
  stopped = 143
  child?.kill('SIGTERM')
})

const say = (...lines: readonly string[]): void => void process.stdout.write(`${lines.join('\n')}\n`)

const typed = (runbook: string, ...flags: readonly string[]): string =>
  [...(process.env.RUNBOOKS_HOME ? [`RUNBOOKS_HOME=${quote(HOME)}`] : []), 'npx', 'zx', `runbooks/${runbook}.ts`, ...SUBJECT, ...flags].join(' ')

/** One step with its title, and its time for the table at the end. */
async function act(title: string, work: () => Promise<string>): Promise<void> {
  say('', style.bold(`── ${steps.length + 1}  ${title}`))
  const began = performance.now()
  const outcome = await work()
  // Making the data keeps the process busy: a signal of that time is heard only now.
  await new Promise(setImmediate)
  if (stopped) throw new Stop(stopped, 'stopped')
  steps.push({ title, ms: performance.now() - began, outcome })
}

/** Runs a runbook with the command that does the same; any exit but the wanted one stops the demo. */
async function run(wanted: number, name: string, ...flags: readonly string[]): Promise<string> {
  say(`$ ${typed(name, ...flags)}`)
  child = startRunbook(HOME, name, [...SUBJECT, ...flags])
  const code = await ended(child)
  if (code !== wanted) throw new Stop(stopped ?? (code || 1), `${name} exited ${code}`)
  return `exit ${code}`
}

const runbook = (title: string, name: string, ...flags: readonly string[]): Promise<void> => act(title, () => run(0, name, ...flags))

/** Runs a runbook while customers keep the shop busy; one who is turned away stops the demo. */
function underLoad(title: string, name: string, ...flags: readonly string[]): Promise<void> {
  return act(title, async () => {
    const crowd = await customers(10)
    const outcome = await run(0, name, ...flags).catch(async error => {
      await crowd.goHome()
      throw error
    })
    const { asked, failed } = await crowd.goHome()
    say(`Meanwhile ten customers asked the front door ${count(asked)} times; ${count(failed)} were turned away.`)
    if (failed > 0) throw new Stop(1, `${failed} of ${asked} requests failed`)
    return `${outcome}, ${count(asked)} requests, 0 failed`
  })
}

type Digests = Awaited<ReturnType<typeof digestDemo>>

/** Compares the data with what it should be, by digests that are made without the toolkit. */
function compare(title: string, wanted: Digests, as: string): Promise<void> {
  return act(title, async () => {
    const found = await digestDemo(FOLDER)
    const parts = ['database', 'media'] as const
    for (const part of parts) say(`${part.padEnd(9)} ${found[part] === wanted[part] ? 'equal' : 'NOT EQUAL'}   sha256 ${found[part].slice(0, 16)}…`)
    const wrong = parts.filter(part => found[part] !== wanted[part])
    if (wrong.length > 0) throw new Stop(1, `${wrong.join(' and ')} is not ${as}`)
    say(`Every row and every file, with its mode and time, is ${as}.`)
    return 'equal'
  })
}

async function play(): Promise<void> {
  const strange = strangers(FOLDER)
  if (strange.length > 0) throw new Stop(3, `${FOLDER} holds what the demo did not make (${strange[0]}); set RUNBOOKS_HOME to another folder`)
  say('A small shop on this machine is deployed, backed up, ruined, brought back, and deployed anew. All of it stands in', `  ${HOME}`)
  await act('Make the data', async () => {
    await closeShop()
    clearStage(HOME)
    await makeDemo(FOLDER)
    say(`A SQLite database with ${rowsIn(FOLDER)}, and a media folder with ${filesIn(FOLDER)}.`)
    return 'made'
  })
  const sound = await digestDemo(FOLDER)
  await runbook('Deploy the first version', 'deploy', '--version=1.0.0', '--yes')
  await runbook('Back up', 'backup', '--yes')
  await runbook('List the backups', 'backup-list')
  await runbook('Verify: read every byte', 'backup-verify', '--backup=latest', '--yes')
  await runbook('Drill: restore into a scratch place', 'restore-drill', '--backup=latest', '--yes')
  await runbook('List again: it is certified now', 'backup-list')
  await act('Business goes on', async () => {
    const { orders, uploads } = await writeSome(FOLDER)
    say(`${count(orders)} new orders and ${count(uploads.length)} new photographs, which the backup does not have.`)
    return 'done'
  })
  await act('Disaster', async () => {
    const { rows, files } = await destroyDemo(FOLDER)
    say(`A migration deleted half of the orders and dropped the events: ${count(rows)} rows are gone, and every price is 0.`)
    say(`A cleanup script removed a year of photographs and spoilt others: ${count(files)} files.`)
    return 'destroyed'
  })
  const ruined = await digestDemo(FOLDER)
  await runbook('Restore', 'restore', '--backup=latest', '--yes')
  await compare('Compare with the data before the disaster', sound, 'as it was when it was backed up')
  const restore = runsOf(HOME).findLast(run => run.id.includes('-restore-r'))
  if (!restore) throw new Stop(1, 'the restore left no run')
  await runbook('Undo: even a restore can be taken back', 'restore', `--undo=${restore.id}`, '--yes')
  await compare('Compare with the data before the restore', ruined, 'as it was right before the restore')
  await underLoad('Deploy a new version while customers come in', 'deploy', '--version=1.1.0', '--yes')
  await act('Deploy one that crashes: it is taken back by itself', () => run(4, 'deploy', '--version=1.2.0-crash', '--yes'))
  await underLoad('Roll back by choice', 'rollback', '--yes')
  await runbook('List the releases', 'releases')
  await runbook('Check the health of everything', 'health-check')
}

function closing(): void {
  const rows = steps.map(({ title, ms, outcome }, i) => [String(i + 1), title, spent(ms), outcome])
  const total = steps.reduce((sum, { ms }) => sum + ms, 0)
  say('', ...table([{ title: '', align: 'right' }, { title: 'step' }, { title: 'took', align: 'right' }, { title: 'outcome' }], rows))
  say(
    `All of it in ${spent(total)}.`,
    '',
    'The data is ruined again now. Bring it back as a person would: without --yes you are asked, step by step:',
    `  ${typed('restore')}`,
    'The shop is closed: none of its processes is left. Open it again, or try how a bad version is taken back:',
    `  ${typed('deploy', '--version=1.1.0')}`,
    `  ${typed('deploy', '--version=1.2.0-errors')}   # or 1.2.0-never-ready, 1.2.0-slow, 1.2.0-late`,
    `Data, backups, journals and reports: ${HOME}`,
    `Remove them:                         rm -rf ${quote(FOLDER)} ${quote(join(HOME, 'runs'))}/*-demo-local-r*`,
  )
}

try {
  await play()
  await closeShop()
  closing()
} catch (error) {
  if (!(error instanceof Stop)) throw error
  say('', `The demo stopped: ${error.message} (exit ${error.exit}). What stands is in ${HOME}`)
  await closeShop()
  process.exitCode = error.exit
}
