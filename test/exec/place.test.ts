import { expect, test } from 'vitest'
import { cannotBeEntered, type Inside, inService, looksAt, placeName } from '../../lib/exec/place.ts'
import { type Command, prints, run } from '../../lib/exec/process.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { doing } from './doing.ts'

const shop = { compose: { project: 'shop', file: '/srv/shop.yaml', directory: '/srv' }, service: 'db' }
const key = '-----BEGIN KEY-----\n  a b\\c "d" \'e\' $f `g`\n\n-----END KEY-----\n'

test('a command in a service is an exec without a terminal, and keeps its secrets off every argument', () => {
  const command = inService(
    shop,
    { file: 'psql', argv: ['-c', 'SELECT 1'], env: { PGUSER: 'app' }, cwd: '/tmp' },
    { secrets: { PGPASSWORD: new Secret('PW', key) }, input: true },
  )
  expect(command.file).toBe('docker')
  expect(command.argv.slice(0, 16)).toEqual([
    'compose',
    '-p',
    'shop',
    '-f',
    '/srv/shop.yaml',
    '--project-directory',
    '/srv',
    'exec',
    '-T',
    '-e',
    'PGUSER=app',
    '-w',
    '/tmp',
    'db',
    'sh',
    '-c',
  ])
  expect(command.argv.slice(17)).toEqual(['sh', '1', 'psql', '-c', 'SELECT 1'])
  expect(JSON.stringify(command)).not.toMatch(/BEGIN KEY|END KEY/)
  expect(command.secret).toBeUndefined()
  expect(prints(command)).toBe(
    "docker compose -p shop -f /srv/shop.yaml --project-directory /srv exec -T -e PGUSER=app -w /tmp db psql -c 'SELECT 1'",
  )
})

test('a project alone, a folder alone or nothing at all is what compose itself looks for', () => {
  const argv = (compose: object) => inService({ compose, service: 'db' }, { file: 'true', argv: [] }, { input: false }).argv.join(' ')
  expect(argv({ project: 'shop' })).toMatch(/^compose -p shop exec -T db sh /)
  expect(argv({ directory: '/srv' })).toMatch(/^compose --project-directory \/srv exec -T db sh /)
  expect(argv({})).toMatch(/^compose exec -T db sh /)
  expect([placeName(shop), placeName({ compose: {}, service: 'db' }), looksAt(shop)]).toEqual([
    'shop/db',
    'compose/db',
    'docker compose -p shop -f /srv/shop.yaml --project-directory /srv ps db',
  ])
})

test('a descriptor and a name that is no variable are refused', () => {
  expect(() => inService(shop, { file: 'psql', argv: [], secret: new Secret('PW', 'x') }, { input: true })).toThrow(RangeError)
  for (const name of ['a', 'A B', '1A', 'A=B']) {
    expect(() => inService(shop, { file: 'psql', argv: [] }, { input: true, secrets: { [name]: new Secret('PW', 'x') } })).toThrow(RangeError)
  }
})

/** What runs inside, run here: everything from `sh` on. */
function inside(input: boolean, script: string, ...secrets: readonly string[]) {
  const named = Object.fromEntries(secrets.map((value, at) => [`SECRET_${at}`, new Secret(`S${at}`, value)]))
  const { argv, preface } = inService(shop, { file: 'sh', argv: ['-c', script] }, { input, secrets: named })
  const at = argv.indexOf('sh')
  return { file: argv[at]!, argv: argv.slice(at + 1), ...(preface && { preface }) }
}

test('secrets of any text arrive as they are, and the data behind them too', async () => {
  const values = [key, '', ' lead and trail ', 'back\\slash', '-n', 'ä\t%s', '\n\n']
  const script = 'for n in 0 1 2 3 4 5 6; do eval "printf \'%s|\' \\"\\$SECRET_$n\\""; done; exec cat'
  const { stdout, code } = await run(inside(true, script, ...values), doing(), { input: 'data\n  more' })
  expect([code, stdout]).toEqual([0, `${values.join('|')}|data\n  more`])
})

test('the exit code is the command’s own, with input and without', async () => {
  for (const input of [true, false]) {
    for (const code of [0, 3, 141]) expect((await run(inside(input, `exit ${code}`, 'x'), doing(), input ? { input: '' } : {})).code).toBe(code)
  }
})

test('a command without input sees none, ends by itself, and is ended when the far end of its stdin goes', async () => {
  expect((await run(inside(false, 'cat; echo "$SECRET_0"', 'pw'), doing())).stdout).toBe('pw\n')
  const { file, argv, preface } = inside(false, 'sleep 60', 'pw')
  const begun = Date.now()
  const gone = await run({ file, argv }, doing(), { input: preface!.reveal() })
  expect(gone.code).not.toBe(0)
  expect(Date.now() - begun).toBeLessThan(5_000)
})

test('secrets that were cut off on their way start nothing', async () => {
  const { file, argv } = inside(true, 'echo started', 'a\nb')
  expect(await run({ file, argv }, doing(), { input: 'SECRET_0 2\na\n' })).toMatchObject({ code: 96, stdout: '' })
})

test('a service of a platform is entered as the platform does it, and to look at it is to enter it', () => {
  const asked: Inside[] = []
  const enter = (command: Command, how: Inside): Command => {
    asked.push(how)
    return { file: 'kubectl', argv: ['exec', 'db', '--', command.file, ...command.argv] }
  }
  const place = { service: 'db', where: 'https://shop.example shop-test: db', enter }
  const secrets = { PGPASSWORD: new Secret('PW', key) }
  expect(prints(inService(place, { file: 'psql', argv: ['-l'] }, { input: true, secrets }))).toBe('kubectl exec db -- psql -l')
  expect(asked).toEqual([{ input: true, secrets }])
  expect([placeName(place), looksAt(place)]).toEqual([place.where, 'kubectl exec db -- true'])
})

test.each([
  'service "postgres" is not running',
  'Error from server (NotFound): statefulsets.apps "postgres" not found',
  'error: unable to upgrade connection: container not found ("postgres")',
  'error: timed out waiting for the condition',
  'The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?',
])('that a service cannot be entered is told by: %s', said => {
  expect(cannotBeEntered(said)).toBe(true)
})

test.each([
  'psql: error: connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed: No such file or directory',
  'pg_dump: error: Error from server',
  'command terminated with exit code 137',
])('that a program inside failed is not taken for it: %s', said => {
  expect(cannotBeEntered(said)).toBe(false)
})
