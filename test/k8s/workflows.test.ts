import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { callOf, runsOf, type Workflow, wrongWith } from '../compose/workflow.ts'
import { project } from './kit.ts'

const STACKS = ['check-in', 'veza']
const NAMES = ['backup', 'deploy', 'health-check', 'rollback']
const textOf = (stack: string, name: string) => readFileSync(join(project, 'k8s', stack, 'workflows', `${name}.yml`), 'utf8')
const workflowOf = (stack: string, name: string) => parse(textOf(stack, name)) as Workflow
const every = STACKS.flatMap(stack => NAMES.map(name => ({ stack, name })))

describe('workflows of the stacks on Kubernetes', () => {
  test.each(STACKS)('%s has one to deploy, to roll back, to check health and to back up', stack => {
    expect(readdirSync(join(project, 'k8s', stack, 'workflows')).sort()).toEqual(NAMES.map(name => `${name}.yml`))
  })

  test.each(every)('$name of $stack calls that runbook and nothing else, and breaks no rule', ({ stack, name }) => {
    const workflow = workflowOf(stack, name)
    expect(wrongWith(workflow, textOf(stack, name))).toEqual([])
    expect(runsOf(workflow).at(-1)).toMatch(new RegExp(`^npx zx runbooks/${name}\\.ts`))
    expect(callOf(workflow)?.env).toMatchObject({ RUNBOOKS_STACK: stack, KUBE_CONFIG: expect.stringContaining('secrets.') })
  })

  test('deploying asks for what the documents ask for', () => {
    const inputs = (stack: string) => Object.keys(workflowOf(stack, 'deploy').on.workflow_dispatch?.inputs ?? {})
    expect(inputs('check-in')).toEqual(['environment', 'backend_version', 'frontend_version', 'skip_tests', 'event_day_override'])
    expect(inputs('veza')).toEqual(['environment', 'version'])
  })

  test.each([
    { given: { SET_BACKEND: 'backend=1.4.2' }, flags: ['--set=backend=1.4.2'] },
    { given: { SET_BACKEND: 'backend=1.4.2', SET_FRONTEND: 'frontend=1.4.1' }, flags: ['--set=backend=1.4.2', '--set=frontend=1.4.1'] },
    { given: { SKIP_TESTS: 'yes', EVENT_DAY_OVERRIDE: 'DEPLOY' }, flags: ['--skip-tests', '--override-freeze=DEPLOY'] },
    { given: { APPROVED_BY: 'ada,grace', SET_BACKEND: '$(id); x' }, flags: ['--set=$(id); x', '--approved-by=ada,grace'] },
  ])('with $given the runbook is given $flags', ({ given, flags }) => {
    const run = callOf(workflowOf('check-in', 'deploy'))?.run ?? ''
    const env = { RUNBOOKS_STACK: 'check-in', RUNBOOKS_ENVIRONMENT: 'production', ...given }
    const { stdout } = spawnSync('bash', ['-ec', run.replace('npx zx', 'printf "%s\\n"')], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, ...env },
    })
    expect(stdout.trim().split('\n')).toEqual(['runbooks/deploy.ts', '--confirm=check-in/production', ...flags])
  })
})
