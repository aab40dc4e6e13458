import { describe, expect, it } from 'vitest'
import { Trouble } from '../../lib/plan/outcome.ts'
import { helpPage } from '../../lib/run/entry.ts'
import { COMMON, duration, envName, flag, flagName, many, type Options, parse, text, typed } from '../../lib/run/options.ts'
import type { Definition } from '../../lib/run/runbook.ts'

const OPTIONS = {
  ...COMMON,
  version: text({ help: 'a version' }),
  part: many({ help: 'parts' }),
  pin: flag({ help: 'keep it' }),
  skipSafety: typed('DATA-LOSS', { help: 'no way back' }),
  deadline: duration({ help: 'how long' }),
}
const given = (argv: string[], env: NodeJS.ProcessEnv = {}) => parse(OPTIONS, argv, env)
const value = (key: string, argv: string[], env: NodeJS.ProcessEnv = {}) => given(argv, env)[key]?.value
const refusal = (argv: string[], env: NodeJS.ProcessEnv = {}): string => {
  try {
    given(argv, env)
  } catch (error) {
    if (error instanceof Trouble && error.exit === 2) return error.message
    throw error
  }
  return 'not refused'
}

describe('an option', () => {
  it.each([
    ['version', ['--version=1.10'], '1.10'],
    ['version', ['--version', '1.10'], '1.10'],
    ['version', ['--version=a=b'], 'a=b'],
    ['part', ['--part=a', '--part=b,c'], ['a', 'b,c']],
    ['pin', ['--pin'], true],
    ['pin', ['--no-pin'], false],
    ['skipSafety', ['--skip-safety=DATA-LOSS'], true],
    ['deadline', ['--deadline=10min'], 600_000],
    ['version', [], undefined],
    ['part', [], []],
    ['pin', [], false],
    ['skipSafety', [], false],
  ])('%s of %j is %j', (key, argv, wanted) => {
    expect(value(key, argv)).toEqual(wanted)
  })

  it.each([
    ['RUNBOOKS_VERSION', 'version', '1.10', '1.10'],
    ['RUNBOOKS_PART', 'part', 'a,b', ['a', 'b']],
    ['RUNBOOKS_PIN', 'pin', '1', true],
    ['RUNBOOKS_PIN', 'pin', 'false', false],
    ['RUNBOOKS_DEADLINE', 'deadline', '2h', 7_200_000],
    ['RUNBOOKS_DRY_RUN', 'dryRun', 'true', true],
  ])('is read from %s, and a flag comes before that', (name, key, raw, wanted) => {
    expect(given([], { [name]: raw })[key]).toEqual({ value: wanted, from: name })
    expect(given(['--version=9', '--part=z', '--pin', '--deadline=1s', '--dry-run'], { [name]: raw })[key]?.from).toBe(`--${flagName(key)}`)
  })

  it.each(['yes', 'confirm', 'skipSafety', 'resume', 'revert', 'close'])('that consents is never read from the environment: %s', key => {
    const raw = { confirm: 'shop/local', skipSafety: 'DATA-LOSS', close: 'r1' }[key] ?? '1'
    expect(given([], { [envName(key)]: raw })[key]?.from).toBe('default')
  })

  it.each([
    [['--dryrn'], 'There is no option --dryrn. Did you mean --dry-run?'],
    [['--no-dryrun'], 'Did you mean --dry-run?'],
    [['--enviroment=x'], 'Did you mean --environment?'],
    [['--zzzzzzzzzz'], 'There is no option --zzzzzzzzzz.'],
    [['-y'], "Unknown option '-y'"],
    [['shop'], '"shop" is not an option; values are written --name=value'],
    [['--yes', 'now'], '"now" is not an option'],
    [['--yes=no'], 'does not take an argument'],
    [['--version'], 'argument missing'],
    [['--version='], '--version is "", but it must not be empty'],
    [['--part='], 'it must not be empty'],
    [['--skip-safety=yes'], 'only --skip-safety=DATA-LOSS counts'],
    [['--skip-safety'], 'argument missing'],
    [['--deadline=10'], 'a duration is written 30s, 5min, 6h or 30d'],
    [['--deadline=-5s'], 'a duration is written'],
  ])('%j is refused in words', (argv, words) => {
    expect(refusal(argv)).toContain(words)
  })

  it.each([
    [{ RUNBOOKS_PIN: 'ja' }, 'RUNBOOKS_PIN is "ja", but a flag is true or false'],
    [{ RUNBOOKS_DEADLINE: 'soon' }, 'RUNBOOKS_DEADLINE is "soon"'],
  ])('%j is refused by the name of the variable', (env, words) => {
    expect(refusal([], env)).toContain(words)
  })
})

it('the help page names every option and every exit code', () => {
  const page = helpPage({ name: 'toy', does: 'Toys.', options: OPTIONS } as unknown as Definition<Options, unknown>)
  for (const key of Object.keys(OPTIONS)) expect(page).toContain(`--${flagName(key)}`)
  for (const code of [0, 1, 2, 3, 4, 5, 6, 7, 8, 130, 143]) expect(page).toMatch(new RegExp(`^ +${code} `, 'm'))
})
