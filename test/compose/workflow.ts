import { filesOf, textOf, yamlOf } from './assets.ts'

type Step = {
  readonly uses?: string
  readonly run?: string
  readonly id?: string
  readonly if?: string
  readonly env?: Readonly<Record<string, string>>
  readonly with?: Readonly<Record<string, unknown>>
}

type Job = {
  readonly uses?: string
  readonly environment?: string
  readonly 'timeout-minutes'?: number
  readonly steps?: readonly Step[]
}

/** A GitHub workflow. */
export type Workflow = {
  readonly name: string
  readonly on: Readonly<Record<string, { readonly inputs?: Readonly<Record<string, unknown>> } | null>>
  readonly concurrency?: { readonly group: string; readonly 'cancel-in-progress': boolean }
  readonly permissions?: Readonly<Record<string, string>>
  readonly jobs: Readonly<Record<string, Job>>
}

/** The workflows of a stack by their path in its folder. */
export const workflowFiles = (stack: string): string[] => filesOf(stack).filter(path => path.startsWith('workflows/'))

/** Reads a workflow. */
export const workflowOf = (stack: string, path: string): Workflow => yamlOf(stack, path) as Workflow

/** One runbook with its flags; a flag may hang on a variable, and nothing else is a command. */
const RUNBOOK =
  /^npx zx runbooks\/(deploy|rollback|health-check|backup)\.ts( --[a-z-]+| --confirm="\$RUNBOOKS_STACK\/\$RUNBOOKS_ENVIRONMENT"| \$\{[A-Z_]+:\+--[a-z-]+(="\$[A-Z_]+")?\})*$/

const stepsOf = ({ jobs }: Workflow): Step[] => Object.values(jobs).flatMap(({ steps = [] }) => steps)

/** The commands of a workflow. */
export const runsOf = (workflow: Workflow): string[] => stepsOf(workflow).flatMap(({ run }) => run ?? [])

/** The step that calls the runbook. */
export const callOf = (workflow: Workflow): Step | undefined => stepsOf(workflow).find(({ run }) => run?.startsWith('npx zx'))

/** Where a text stands in a workflow, by path. */
function placesOf(node: unknown, wanted: RegExp, path = ''): string[] {
  if (typeof node === 'string') return wanted.test(node) ? [path] : []
  if (typeof node !== 'object' || node === null) return []
  return Object.entries(node).flatMap(([key, value]) => placesOf(value, wanted, path === '' ? key : `${path}.${key}`))
}

/** What is wrong with a workflow, in words; nothing when all is well. `text` is the file itself, for what a parser does not keep. */
export function wrongWith(workflow: Workflow, text: string): string[] {
  const jobs = Object.values(workflow.jobs)
  const steps = stepsOf(workflow)
  const called = jobs.every(({ uses }) => uses !== undefined)
  const actions = [...text.matchAll(/uses: (\S+)(.*)$/gm)].filter(([, uses]) => !uses?.startsWith('./'))
  const rules: readonly (readonly [broken: boolean, says: string])[] = [
    [runsOf(workflow).some(run => run !== 'npm ci' && !RUNBOOK.test(run)), 'it runs something else than a runbook'],
    [runsOf(workflow).some(run => run.includes('${{')), 'it writes an input into a command'],
    [!called && callOf(workflow) === undefined, 'it calls no runbook'],
    [jobs.some(({ uses }) => uses !== undefined && !uses.startsWith('./.github/workflows/')), 'it calls a workflow of somebody else'],
    [
      actions.some(([, uses, version]) => !/@[0-9a-f]{40}$/.test(uses ?? '') || !/^ # v\d/.test(version ?? '')),
      'an action is not pinned to a commit',
    ],
    [
      placesOf(workflow, /\bsecrets\./).some(path => !/^jobs\.[^.]+\.steps\.\d+\.env\.\w+$/.test(path)),
      'a secret is not given as a variable of one step',
    ],
    [
      steps.some(({ uses, env = {} }) => uses !== undefined && Object.values(env).some(value => value.includes('secrets.'))),
      'an action is given a secret',
    ],
    [!called && workflow.concurrency === undefined, 'two of it may run at once'],
    [Object.values(workflow.permissions ?? { all: 'write' }).some(may => may !== 'read'), 'it may write to the repository'],
    [jobs.some(job => job.uses === undefined && !(Number(job['timeout-minutes']) > 0)), 'it has no time limit'],
    [jobs.some(job => job.uses === undefined && job.environment === undefined), 'its secrets belong to no environment'],
  ]
  return rules.filter(([broken]) => broken).map(([, says]) => says)
}

/** The text of a workflow. */
export const workflowText = (stack: string, path: string): string => textOf(stack, path)
