// Adds to package-lock.json the optional packages of other platforms that a registry mirror did not serve:
// without their entries `npm ci` refuses the file on every machine. Run it after a change of dependencies.
import { readFileSync, writeFileSync } from 'node:fs'

type Entry = {
  version?: string
  dev?: boolean
  optional?: boolean
  os?: string[]
  cpu?: string[]
  libc?: string[]
  optionalDependencies?: Record<string, string>
}
type Lock = { packages: Record<string, Entry> }

const OSES = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const CPUS = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64']

/** The entry of a package that is named after its platform; undefined for any other name. */
function platformEntry(name: string, version: string, dev: boolean): Entry | undefined {
  const words = name.split(/[/-]/)
  const os = words.filter(word => OSES.includes(word))
  const cpu = words.filter(word => CPUS.includes(word))
  if (os.length === 0 || cpu.length === 0 || /[^\w.-]/.test(version)) return undefined
  const libc = words.includes('musl') ? ['musl'] : words.includes('gnu') ? ['glibc'] : undefined
  return { version, cpu, ...(dev ? { dev: true } : {}), ...(libc ? { libc } : {}), optional: true, os }
}

const file = process.argv[2] ?? 'package-lock.json'
const lock = JSON.parse(readFileSync(file, 'utf8')) as Lock
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (lock.packages[`${path}/node_modules/${name}`] || lock.packages[`node_modules/${name}`]) continue
    const made = platformEntry(name, version, entry.dev === true)
    if (!made) throw new Error(`${name}@${version} of ${path} is not a platform's package with an exact version`)
    lock.packages[`node_modules/${name}`] = made
  }
}
const [root, ...rest] = Object.entries(lock.packages)
lock.packages = Object.fromEntries([root as [string, Entry], ...rest.sort(([a], [b]) => a.localeCompare(b, 'en'))])
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
