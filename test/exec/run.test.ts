import { describe, expect, test } from 'vitest'
import { CommandFailed } from '../../lib/exec/command.ts'
import { live, mustRun, prints, run, stopAll } from '../../lib/exec/process.ts'
import { Trouble } from '../../lib/plan/outcome.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { doing, running, sh } from './doing.ts'

describe('run', () => {
  test('returns the exit code and what was said, whatever it was', async () => {
    expect(await run(sh('echo out; echo err >&2; exit 3'), doing())).toEqual({ code: 3, signal: null, stdout: 'out\n', stderr: 'err' })
  })

  test('says by which signal a tool was killed', async () => {
    expect(await run(sh('kill -9 $$'), doing())).toMatchObject({ code: null, signal: 'SIGKILL' })
  })

  test('gives its input, and a tool that does not read it may still exit 0', async () => {
    expect(await run({ file: 'cat', argv: [] }, doing(), { input: 'hello' })).toMatchObject({ code: 0, stdout: 'hello' })
    expect(await run({ file: 'true', argv: [] }, doing(), { input: 'x'.repeat(1_000_000) })).toMatchObject({ code: 0 })
  })

  test('without input, stdin is empty rather than ours', async () => {
    expect(await run({ file: 'cat', argv: [] }, doing())).toMatchObject({ code: 0, stdout: '' })
  })

  test('announces pid, start time and command line of the process', async () => {
    const context = doing()
    const { stdout } = await run(sh('echo $$; cut -d" " -f22 /proc/$$/stat'), context)
    expect(context.started).toEqual([
      { pid: Number(stdout.split('\n')[0]), started: stdout.split('\n')[1], prints: expect.stringContaining("sh -c 'echo $$;") },
    ])
  })

  test('a process whose start cannot be recorded is ended, and the error comes through', async () => {
    const context = doing()
    const broken = {
      ...context,
      spawned: () => {
        throw new Error('journal: disk full')
      },
    }
    await expect(run(sh('sleep 60'), broken)).rejects.toThrow('journal: disk full')
    expect(running(context.run)).toEqual([])
  })

  test('ends the whole group when the budget is spent, and says so', async () => {
    const context = doing()
    const finished = await run(sh('sleep 61 & sleep 62'), context, { budgetMs: 100 })
    expect(finished).toMatchObject({ code: null, signal: 'SIGTERM', stderr: 'stopped after 0.1 s, its time limit' })
    expect(running(context.run)).toEqual([])
  })

  test('a tool that exits 0 when told to stop has still not done its work', async () => {
    const trap = sh('trap "exit 0" TERM; while :; do sleep 0.05; done')
    expect(await run(trap, doing(), { budgetMs: 200 })).toMatchObject({ code: null })
    await expect(mustRun(trap, doing(), { budgetMs: 200 })).rejects.toThrow('sh was stopped after 0.2 s, its time limit')
  })

  test('an abort settles only when nothing of the group runs, also when it ignores SIGTERM', async () => {
    const context = doing()
    const work = run(sh('trap "" TERM; (trap "" TERM; while :; do sleep 0.1; done) & while :; do sleep 0.1; done'), context)
    setTimeout(() => context.abort.abort(new Error('by the operator')), 200)
    const began = Date.now()
    await expect(work).rejects.toThrow('by the operator')
    expect(Date.now() - began).toBeGreaterThan(4_900)
    expect(running(context.run)).toEqual([])
  })

  test('what a failed tool leaves behind is ended and does not delay the failure', async () => {
    const context = doing()
    expect(await run(sh('sleep 60 & exit 4'), context)).toMatchObject({ code: 4 })
    expect(running(context.run)).toEqual([])
  })

  test('an aborted step starts nothing', async () => {
    const context = doing()
    context.abort.abort(new Error('over'))
    await expect(run({ file: 'true', argv: [] }, context)).rejects.toThrow('over')
    expect(context.started).toEqual([])
  })

  test('hands on the listed names of the environment only', async () => {
    process.env.SOME_TOKEN = 'token-of-ours'
    const { stdout } = await run({ file: 'env', argv: [], env: { ADDED: 'yes' } }, doing('r1234'))
    expect(stdout).toMatch(/^PATH=/m)
    expect(stdout).toMatch(/^ADDED=yes$/m)
    expect(stdout).toMatch(/^RUNBOOKS_RUN=r1234$/m)
    expect(stdout).not.toContain('token-of-ours')
  })

  test('live() shows what runs, and stopAll ends it at once', async () => {
    const context = doing()
    const work = run(sh('sleep 60'), context)
    await expect.poll(() => live().length).toBe(1)
    expect(live()[0]).toMatchObject({ pid: context.started[0]?.pid })
    stopAll('SIGKILL')
    expect(await work).toMatchObject({ signal: 'SIGKILL' })
    expect(live()).toEqual([])
  })
})

describe('mustRun', () => {
  test('throws the program, its exit code and its last words', async () => {
    const failed = await mustRun(sh('echo early >&2; echo "disk full" >&2; exit 28'), doing()).catch(cause => cause)
    expect(failed).toBeInstanceOf(CommandFailed)
    expect(failed).toMatchObject({ message: 'sh exited 28: early\ndisk full', code: 28, stderr: 'early\ndisk full' })
  })

  test('keeps only the last words of a tool that talks much', async () => {
    const failed = await mustRun(sh('seq 1 100000 >&2; exit 1'), doing()).catch(cause => cause)
    expect(failed.stderr.length).toBeLessThanOrEqual(4_096)
    expect(failed.stderr).toMatch(/99999\n100000$/)
  })

  test('hides a secret that a tool repeats, also one that is cut at the front', async () => {
    const secret = new Secret('password', `hunter2-${'z'.repeat(200)}`)
    const failed = await mustRun(sh(`echo "bad: ${secret.reveal()}" >&2; exit 1`), doing()).catch(cause => cause)
    expect(failed.message).toBe('sh exited 1: bad: ***')
    // Every alignment of the cut, by lines that hold nothing but the secret.
    const cut = await mustRun(sh(`i=0; while [ $i -lt 150 ]; do echo "$i ${secret.reveal()}" >&2; i=$((i+1)); done; exit 1`), doing()).catch(
      cause => cause,
    )
    expect(cut.message).not.toContain('zzzz')
  })
})

describe('a program that cannot run', () => {
  test('is a refusal that names it and what to do', async () => {
    const refused = await run({ file: 'mongodump-not-here', argv: [] }, doing()).catch(cause => cause)
    expect(refused).toBeInstanceOf(Trouble)
    expect(refused).toMatchObject({
      exit: 3,
      message: 'mongodump-not-here is not installed or not on PATH',
      next: [expect.stringContaining('install mongodump-not-here')],
    })
  })

  test('is told apart from a missing folder and from a missing permission', async () => {
    await expect(run({ file: 'true', argv: [], cwd: '/no/such/folder' }, doing())).rejects.toThrow('there is no such folder')
    await expect(run({ file: '/etc/passwd', argv: [] }, doing())).rejects.toMatchObject({
      exit: 3,
      message: '/etc/passwd may not be executed by this user',
    })
  })
})

describe('prints', () => {
  test('can be pasted into a shell, whatever the words hold', async () => {
    const words = ['plain', '', "it's", 'a b', '$HOME `id`', 'new\nline', '*', '~', '-x', '50%', 'é', '\\', '"', '{a,b}', '#', '!!', 'a=b']
    const line = prints({ file: 'printf', argv: ['%s\\0', ...words], env: { X: "o'k" }, cwd: '/' })
    const { stdout } = await run(sh(line), doing())
    expect(stdout.split('\0').slice(0, -1)).toEqual(words)
  })

  test('shows a secret as its descriptor', () => {
    const secret = new Secret('shop-password', 'correct horse')
    expect(prints({ file: 'mongodump', argv: ['--config=/dev/fd/3', '--archive'], secret })).toBe(
      'mongodump --config=/dev/fd/3 --archive 3<shop-password',
    )
  })
})
