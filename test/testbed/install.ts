import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Mend, type Origin, origins } from './catalogue.ts'
import { withLock } from './lock.ts'
import { makeNginxRoot } from './nginx-root.ts'
import { bin, cache, find } from './tools.ts'

type GoOrigin = Extract<Origin, { from: 'go' }>
type NpmOrigin = Extract<Origin, { from: 'npm' }>

const minute = 60_000

/** Installs the tools that are missing, one process at a time on this machine; `say` is told what takes long. Returns why a tool could not be had. */
export async function install(tools: readonly string[], say: (line: string) => void): Promise<Map<string, string>> {
  const failures = new Map<string, string>()
  const missing = () => tools.filter(tool => find(tool) === undefined)
  if (missing().length === 0) return failures
  await withLock(join(cache(), 'install.lock'), 30 * minute, async () => {
    for (const tool of missing()) {
      const began = Date.now()
      say(`installing ${tool} …`)
      try {
        installOne(tool)
        say(`installed ${tool} in ${((Date.now() - began) / 1000).toFixed(1)} s`)
      } catch (error) {
        failures.set(tool, (error as Error).message)
        say(`${tool} could not be installed: ${(error as Error).message}`)
      }
    }
  })
  return failures
}

function installOne(tool: string): void {
  const origin = origins[tool]
  if (origin === undefined) throw new Error(`${tool} has to be installed by hand`)
  if (origin.from === 'debian') installPackage(origin.packageName, origin.trixie === true && addTrixie())
  else if (origin.from === 'debootstrap') makeNginxRoot()
  else if (origin.from === 'npm') installNodeProgram(tool, origin)
  else buildProgram(tool, origin)
  if (find(tool) === undefined) throw new Error(`${tool} is still not found after it was installed`)
}

/** Debian 12 with trixie as a further source, pinned low so that nothing else moves; true where there is one to be named. */
function addTrixie(): boolean {
  const [release, own] = ['/etc/os-release', '/etc/apt/sources.list.d/debian.sources'].map(file =>
    existsSync(file) ? readFileSync(file, 'utf8') : '',
  )
  if (!/^VERSION_CODENAME=bookworm$/m.test(release ?? '') || process.getuid?.() !== 0) return false
  const sources = '/etc/apt/sources.list.d/testbed.sources'
  if (existsSync(sources)) return true
  const stanza = own?.split(/\n{2,}/).find(text => !text.includes('security') && /^Suites:/m.test(text))
  if (stanza === undefined) return false
  writeFileSync('/etc/apt/preferences.d/testbed', 'Package: *\nPin: release n=trixie\nPin-Priority: 100\n')
  writeFileSync(sources, `${stanza.trimEnd().replace(/^Suites:.*$/m, 'Suites: trixie')}\n`)
  must(apt('update'), 'apt-get update')
  return true
}

function installPackage(packageName: string, trixie = false): void {
  if (find('apt-get') === undefined) throw new Error(`there is no apt-get here: install ${packageName} with the package manager of this machine`)
  const install = ['install', '-y', '--no-install-recommends', ...(trixie ? ['-t', 'trixie'] : []), packageName]
  const first = apt(...install)
  if (first.status === 0) return
  // Old or absent package lists are the usual reason; refreshing them takes seconds, so it is not done before it is needed.
  must(apt('update'), 'apt-get update')
  must(apt(...install), `apt-get install ${packageName}`)
}

function apt(...argv: string[]): SpawnSyncReturns<string> {
  const root = process.getuid?.() === 0
  const line = ['apt-get', '-qq', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Use-Pty=0', ...argv]
  const [file, ...rest] = root ? line : ['sudo', '-n', 'DEBIAN_FRONTEND=noninteractive', ...line]
  return exec(file!, rest, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, timeout: 10 * minute })
}

/** Into a folder of the cache of its own; the link among the tools comes last, so that nobody finds half a program. */
function installNodeProgram(tool: string, { packageName, version }: NpmOrigin): void {
  const folder = join(cache(), packageName)
  const wanted = [`${packageName}@${version}`, '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  mkdirSync(folder, { recursive: true })
  must(exec('npm', ['install', ...wanted], { cwd: folder, timeout: 10 * minute }), `npm install ${packageName}@${version}`)
  mkdirSync(bin(), { recursive: true })
  rmSync(join(bin(), tool), { force: true })
  symlinkSync(join(folder, 'node_modules', '.bin', tool), join(bin(), tool))
}

function buildProgram(tool: string, origin: GoOrigin): void {
  const go = find('go') ?? ['/usr/local/go/bin/go'].find(existsSync)
  if (go === undefined) throw new Error(`Go 1.24 or newer is needed to build ${tool}: https://go.dev/doc/install`)
  const work = mkdtempSync(join(tmpdir(), `testbed-build-${tool}-`))
  try {
    const built = join(work, 'built')
    const [folder, program] = origin.mends ? mended(go, work, origin, origin.mends) : required(work, origin)
    const argv = ['build', '-mod=mod', '-trimpath', '-ldflags', origin.ldflags, '-o', built, program]
    must(exec(go, argv, { cwd: folder, timeout: 20 * minute }), `go build ${origin.module}`)
    mkdirSync(bin(), { recursive: true })
    // Copied beside, then renamed: nobody ever finds half a program.
    const beside = join(bin(), `.${tool}-${process.pid}`)
    cpSync(built, beside)
    renameSync(beside, join(bin(), tool))
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** A module of our own that requires the wanted one: `go install` refuses versions whose go.mod replaces others or names another path. */
function required(work: string, origin: GoOrigin): [string, string] {
  const program = origin.program === '.' ? origin.module : `${origin.module}/${origin.program}`
  writeFileSync(join(work, 'go.mod'), `module runbooks.invalid/testbed\n\ngo 1.24\n\nrequire ${origin.module} ${origin.version}\n`)
  return [work, program]
}

/** A copy of the module's source with its mends made. */
function mended(go: string, work: string, origin: GoOrigin, mends: readonly Mend[]): [string, string] {
  const downloaded = exec(go, ['mod', 'download', '-json', `${origin.module}@${origin.version}`], { cwd: work, timeout: 10 * minute })
  must(downloaded, `go mod download ${origin.module}`)
  const source = join(work, 'source')
  cpSync((JSON.parse(downloaded.stdout) as { Dir: string }).Dir, source, { recursive: true })
  makeWritable(source)
  for (const mend of mends) {
    const file = join(source, mend.file)
    if (mend.find === undefined) {
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, mend.put)
      continue
    }
    const text = readFileSync(file, 'utf8')
    if (!text.includes(mend.find)) throw new Error(`${mend.file} of ${origin.module} has no ${mend.find} to mend`)
    writeFileSync(file, text.replace(mend.find, mend.put))
  }
  return [source, `./${origin.program}`]
}

/** Go's module cache is read-only, and so is a copy of it. */
function makeWritable(folder: string): void {
  chmodSync(folder, 0o755)
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) makeWritable(path)
    else if (entry.isFile()) chmodSync(path, 0o644)
  }
}

function exec(file: string, argv: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv; timeout: number }): SpawnSyncReturns<string> {
  return spawnSync(file, argv, { ...options, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 * 1024 * 1024 })
}

function must(done: SpawnSyncReturns<string>, what: string): void {
  if (done.error) throw new Error(`${what}: ${done.error.message}`)
  if (done.status !== 0)
    throw new Error(`${what}: ${done.signal ?? `exit ${done.status}`}: ${`${done.stdout}\n${done.stderr}`.trim().split('\n').slice(-5).join(' | ')}`)
}
