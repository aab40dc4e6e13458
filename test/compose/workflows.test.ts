import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROOT } from '../runbooks/kit.ts'
import { STACKS } from './assets.ts'
import { callOf, runsOf, type Workflow, workflowFiles, workflowOf, workflowText, wrongWith } from './workflow.ts'

const every = STACKS.flatMap(stack => workflowFiles(stack).map(path => ({ stack, path, workflow: workflowOf(stack, path) })))

describe('every workflow', () => {
  test.each(every)('$path of $stack breaks no rule', ({ stack, path, workflow }) => {
    expect(wrongWith(workflow, workflowText(stack, path))).toEqual([])
  })

  test.each(STACKS)('%s has one to deploy, to roll back, to check health and to back up', stack => {
    expect(workflowFiles(stack)).toEqual(
      expect.arrayContaining(['backup', 'deploy', 'health-check', 'rollback'].map(name => `workflows/${name}.yml`)),
    )
    for (const name of ['backup', 'deploy', 'health-check', 'rollback']) {
      expect(runsOf(workflowOf(stack, `workflows/${name}.yml`)).at(-1)).toMatch(new RegExp(`^npx zx runbooks/${name}\\.ts`))
    }
  })

  test('benevoclic has one for each of its services, which deploys that service alone', () => {
    const services = ['api', 'prometheus', 'alertmanager', 'grafana', 'node-exporter']
    const given = services.map(name => {
      const { deploy } = workflowOf('benevoclic', `workflows/deploy-${name}.yml`).jobs as Record<
        string,
        { uses?: string; with?: Record<string, string> }
      >
      return [deploy?.uses, deploy?.with?.service]
    })
    const names = ['benevoclic-api', ...services.slice(1)]
    expect(given).toEqual(names.map(name => ['./.github/workflows/deploy.yml', name]))
  })
})

describe('a workflow that breaks a rule is noticed', () => {
  const text = workflowText('ecosyste', 'workflows/deploy.yml')
  const good = workflowOf('ecosyste', 'workflows/deploy.yml')
  const job = good.jobs.deploy ?? {}
  const withSteps = (...steps: object[]): Workflow => ({ ...good, jobs: { deploy: { ...job, steps: [...(job.steps ?? []), ...steps] } } })
  const broken: readonly (readonly [string, Workflow, string?])[] = [
    ['it runs something else than a runbook', withSteps({ run: 'docker compose up -d' })],
    ['it runs something else than a runbook', withSteps({ run: 'npx zx runbooks/deploy.ts --yes; rm -rf /' })],
    ['it runs something else than a runbook', withSteps({ run: 'npx zx runbooks/deploy.ts --yes $(id)' })],
    ['it runs something else than a runbook', withSteps({ run: 'npx zx runbooks/restore.ts --yes' })],
    ['it writes an input into a command', withSteps({ run: `npx zx runbooks/deploy.ts --version=\${{ inputs.version }}` })],
    ['an action is not pinned to a commit', good, text.replace(/checkout@\w+ # v\S+/, 'checkout@v4')],
    ['an action is not pinned to a commit', good, text.replace(/(checkout@\w+) # v\S+/, '$1')],
    ['a secret is not given as a variable of one step', withSteps({ run: 'npm ci', with: { key: `\${{ secrets.KEY }}` } })],
    ['an action is given a secret', withSteps({ uses: 'x', env: { KEY: `\${{ secrets.KEY }}` } })],
    ['it may write to the repository', { ...good, permissions: { contents: 'write' } }],
    ['it has no time limit', { ...good, jobs: { deploy: { ...job, 'timeout-minutes': 0 } } }],
  ]
  test.each(broken.map(([says, workflow, changed = text]) => ({ says, workflow, changed })))('$says', ({ says, workflow, changed }) => {
    expect(wrongWith(workflow, changed)).toContain(says)
  })
})

describe('deploying', () => {
  const deploys = every.filter(({ path }) => path === 'workflows/deploy.yml')

  test.each(deploys)('$stack asks for what its team asked for', ({ stack, workflow }) => {
    const inputs = Object.keys(workflow.on.workflow_dispatch?.inputs ?? {})
    expect(inputs).toEqual(expect.arrayContaining(['environment', 'version', 'skip_tests', 'override_freeze']))
    expect(inputs.includes('service')).toBe(stack === 'benevoclic')
    // Manual only, with an admin's approval.
    if (stack === 'immo-express') expect(Object.keys(workflow.on)).toEqual(['workflow_dispatch'])
  })

  /** What a shell makes of the command, word by word. */
  const words = (stack: string, env: Record<string, string>): string[] => {
    const run = callOf(workflowOf(stack, 'workflows/deploy.yml'))?.run ?? ''
    const script = `npx() { printf '%s\\n' "$@"; }\n${run}`
    return spawnSync('bash', ['-e', '-c', script], { encoding: 'utf8', env: { PATH: process.env.PATH, ...env } })
      .stdout.trimEnd()
      .split('\n')
  }

  test.each(STACKS)('%s agrees to nothing that was not said', stack => {
    const said = { RUNBOOKS_STACK: stack, RUNBOOKS_ENVIRONMENT: 'production', APPROVED_BY: '', SKIP_TESTS: '', SKIP_BACKUP: '', OVERRIDE_FREEZE: '' }
    expect(words(stack, said)).toEqual(['zx', 'runbooks/deploy.ts', `--confirm=${stack}/production`])
  })

  test.each(STACKS)('%s hands on who approved and what was typed, each as one word', stack => {
    const said = { APPROVED_BY: 'ada,grace', SKIP_TESTS: 'yes', SKIP_BACKUP: '', OVERRIDE_FREEZE: 'DEPLOY --yes; id' }
    expect(words(stack, said).slice(3)).toEqual(['--approved-by=ada,grace', '--skip-tests', '--override-freeze=DEPLOY --yes; id'])
  })

  test.each(deploys)('$stack takes the approver from the approval of the environment', ({ workflow }) => {
    const { deploy } = workflow.jobs
    expect(deploy?.environment).toBe(`\${{ inputs.environment }}`)
    expect(callOf(workflow)?.env?.APPROVED_BY).toBe(`\${{ steps.approval.outputs.result }}`)
    const approval = deploy?.steps?.find(({ id }) => id === 'approval')
    expect(approval?.with?.script).toContain('getReviewsForRun')
  })
})

describe('what the runbooks are given', () => {
  const names = (stack: string) => readFileSync(join(ROOT, `config/${stack}.example.env`), 'utf8').match(/^[A-Z][A-Z0-9_]*(?==)/gm) ?? []

  const calling = every.filter(({ workflow }) => callOf(workflow) !== undefined)
  test.each(calling)('$path of $stack gives every value of the example of the stack, and no other', ({ stack, workflow }) => {
    const values = Object.entries(callOf(workflow)?.env ?? {}).filter(([, value]) => /\b(secrets|vars)\./.test(value))
    expect(values.map(([name]) => name).sort()).toEqual(names(stack).sort())
    for (const [name, value] of values) expect(value).toMatch(new RegExp(`^\\$\\{\\{ (secrets|vars)\\.${name} \\}\\}$`))
  })

  const called = every.flatMap(({ stack, path, workflow }) => {
    const call = callOf(workflow)
    const runbook = /runbooks\/([\w-]+\.ts)/.exec(call?.run ?? '')?.[1]
    return call && runbook && existsSync(join(ROOT, 'runbooks', runbook)) ? [{ stack, path, runbook, call }] : []
  })
  const helps = new Map<string, string>()
  const helpOf = (runbook: string): string => {
    const zx = join(ROOT, 'node_modules/.bin/zx')
    const help = helps.get(runbook) ?? spawnSync(process.execPath, [zx, `runbooks/${runbook}`, '--help'], { cwd: ROOT, encoding: 'utf8' }).stdout
    helps.set(runbook, help)
    return help
  }

  test.each(called)('$runbook has the options that $path of $stack uses', ({ runbook, call }) => {
    const flags = call.run?.match(/--[a-z-]+/g) ?? []
    const named = Object.keys(call.env ?? {}).flatMap(name => /^RUNBOOKS_([A-Z_]+)$/.exec(name)?.[1] ?? [])
    const options = [...flags, ...named.map(name => `--${name.toLowerCase().replaceAll('_', '-')}`)]
    expect(options.filter(option => !new RegExp(`^  ${option}[ =]`, 'm').test(helpOf(runbook)))).toEqual([])
  })
})
