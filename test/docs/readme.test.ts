import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { EXITS } from '../../lib/plan/outcome.ts'
import { bareEnv, endWorlds, invoke, newWorld, ROOT } from '../runbooks/kit.ts'
import { block, read } from './documents.ts'

const folder = mkdtempSync(join(tmpdir(), 'runbooks-readme-'))
afterAll(() => {
  endWorlds()
  rmSync(folder, { recursive: true, force: true })
})

const PAGES = ['README.md', 'docs/encryption.md', ...readdirSync(join(ROOT, 'docs/runbooks')).map(name => `docs/runbooks/${name}`)]
const DECISIONS = readdirSync(join(ROOT, 'docs/decisions')).map(name => `docs/decisions/${name}`)

describe('exit codes', () => {
  test('the README’s table is the table of the toolkit', () => {
    const rows = [...read('README.md').matchAll(/^\| (\d+) \| ([A-Z ]+) \| (.+) \|$/gm)].map(([, exit, word, means]) => ({
      exit: Number(exit),
      word,
      means,
    }))
    expect(rows).toEqual(EXITS.map(({ exit, word, means }) => ({ exit, word, means })))
  })

  test.each(PAGES)('%s names no code that the toolkit does not have', page => {
    const known: readonly number[] = EXITS.map(({ exit }) => exit)
    const named = [...read(page).matchAll(/\bexit (\d+)\b|^\| (\d+) \|/gm)].map(([, a, b]) => Number(a ?? b))
    expect(named.filter(exit => !known.includes(exit))).toEqual([])
  })
})

const helps = new Map<string, string>()

/** The help page of a runbook, '' when there is none. */
function helpOf(name: string): string {
  const ran = () =>
    spawnSync(process.execPath, [join(ROOT, 'node_modules/.bin/zx'), `runbooks/${name}.ts`, '--help'], { cwd: ROOT, encoding: 'utf8' })
  const known = helps.get(name) ?? ran().stdout
  helps.set(name, known)
  return known
}

describe('commands', () => {
  test.each(PAGES)('%s starts only runbooks that exist, with options that they have', page => {
    for (const [, name = '', rest = ''] of read(page).matchAll(/npx zx runbooks\/([\w-]+)\.ts([^\n`]*)/g)) {
      expect(helpOf(name), name).toContain('Usage:')
      for (const [, flag = ''] of rest.matchAll(/--([\w-]+)/g)) expect(helpOf(name), `${name} --${flag}`).toContain(`--${flag}`)
    }
  })

  test('every runbook has a page, and a row in the README', () => {
    const rows = [...read('README.md').matchAll(/^\| \[`([\w-]+)\.ts`\]\(docs\/runbooks\/([\w-]+)\.md\) \|/gm)].map(([, name, page]) => [name, page])
    const names = readdirSync(join(ROOT, 'runbooks')).map(file => file.replace(/\.ts$/, ''))
    expect(rows.sort()).toEqual(names.sort().map(name => [name, name]))
  })

  test('every link to a file of this repository leads somewhere', () => {
    for (const page of [...PAGES, 'CONTRIBUTING.md', 'docs/architecture.md', 'docs/recovery-point.md', 'docs/screens.md', ...DECISIONS])
      for (const [, target = ''] of read(page).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g))
        expect(existsSync(join(ROOT, page, '..', target)), `${page} → ${target}`).toBe(true)
  })
})

test('the stack of the README is valid, reads its env file, and shows no secret', async () => {
  const world = newWorld()
  writeFileSync(join(world.config, 'shop.ts'), block('README.md', 'stack'))
  writeFileSync(join(world.config, 'shop.production.env'), block('README.md', 'stack-env'))
  const ran = await invoke(world, 'doctor', ['--stack=shop', '--environment=production', '--show-config'], { bare: true })
  expect(ran.exit).toBe(0)
  expect(ran.stdout).toMatch(/mongodb:\/\/db\.internal:27017\s+\/shop/)
  expect(ran.stdout).toContain('s3://shop-backups')
  expect(ran.stdout).toMatch(/MONGODB_URI +\*\*\*/)
  expect(ran.stdout + ran.stderr).not.toMatch(/backup:secret|000000000000000000/)
})

test('the line for cron starts what it names', () => {
  const command = block('README.md', 'cron')
    .replace(/^(\S+ +){5}/, '')
    .replaceAll('/opt/runbooks', ROOT)
  const world = newWorld()
  const ran = spawnSync('/bin/sh', ['-c', `${command.trim()} --help`], { env: { ...bareEnv(world), PATH: '/usr/bin:/bin' }, encoding: 'utf8' })
  expect(ran.stderr).toBe('')
  expect(ran.stdout).toContain('Usage: npx zx runbooks/backup.ts')
  expect(ran.status).toBe(0)
  expect(block('README.md', 'systemd')).toContain(command.slice(command.indexOf('runbooks/backup.ts')).trim())
})

describe('the runbook of the README', () => {
  const clone = join(folder, 'clone')
  mkdirSync(join(clone, 'runbooks'), { recursive: true })
  for (const name of ['lib', 'node_modules', 'package.json']) symlinkSync(join(ROOT, name), join(clone, name))
  writeFileSync(join(clone, 'runbooks/maintenance.ts'), block('README.md', 'runbook'))
  writeFileSync(
    join(clone, 'tsconfig.json'),
    JSON.stringify({
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: { typeRoots: [join(ROOT, 'node_modules/@types')] },
      include: ['runbooks'],
    }),
  )
  const world = newWorld()
  const page = join(world.folder, 'maintenance.html')
  const start = (...flags: readonly string[]) =>
    spawnSync(process.execPath, ['node_modules/.bin/zx', 'runbooks/maintenance.ts', '--stack=shop', '--environment=local', ...flags], {
      cwd: clone,
      env: bareEnv(world),
      encoding: 'utf8',
    })

  test('satisfies the compiler', () => {
    const ran = spawnSync(process.execPath, [join(ROOT, 'node_modules/.bin/tsc'), '-p', clone], { encoding: 'utf8' })
    expect(ran.stdout.split('\n').filter(line => line.includes('maintenance.ts'))).toEqual([])
  })

  test('puts its page up and takes it down again', () => {
    expect(start(`--file=${page}`, '--dry-run').stdout).toContain(`write ${page}`)
    const up = start(`--file=${page}`, '--yes')
    expect(up.stdout).toMatch(/^DONE shop\/local: the maintenance page is up, verified .*\(exit 0\)$/m)
    const down = start(`--file=${page}`, '--down', '--yes')
    expect(down.stdout).toMatch(/the maintenance page is down, verified .*\(exit 0\)$/m)
  })

  test('without its option or its consent it is a usage error, and a failing write is taken back', () => {
    expect(start('--yes').status).toBe(2)
    expect(start(`--file=${page}`).status).toBe(2)
    expect(start(`--file=${world.folder}/nowhere/page.html`, '--yes').status).toBe(4)
  })
})

test('every path of the map exists', () => {
  const rows = [...read('docs/architecture.md').matchAll(/^\| (`.+`) \|/gm)].flatMap(([, cell = '']) => [...cell.matchAll(/`([^`]+)`/g)])
  const paths = rows.map(([, path = '']) => path.replace('*.ts', ''))
  expect(paths.length).toBeGreaterThan(60)
  expect(paths.filter(path => !existsSync(join(ROOT, path)))).toEqual([])
})
