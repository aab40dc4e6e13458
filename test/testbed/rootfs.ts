import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { cache, find } from './tools.ts'

const PROGRAMS = ['postgres', 'initdb', 'psql', 'pg_dump', 'pg_dumpall', 'pg_restore']

/** A root file system with PostgreSQL and a shell, made of this machine's own files and kept: there is no registry to pull an image from. `bin` is where its programs are. */
export function postgresRoot(): { readonly tarball: string; readonly bin: string } {
  const initdb = find('initdb')
  if (initdb === undefined) throw new Error('initdb is missing; to install it: npm run testbed -- install postgres')
  const bin = dirname(realpathSync(initdb))
  const version = execFileSync(initdb, ['--version'], { encoding: 'utf8' }).replace(/[^\w.]+/g, '-')
  const kept = join(cache(), `rootfs-${version}.tar`)
  if (existsSync(kept)) return { tarball: kept, bin }
  const root = mkdtempSync(join(tmpdir(), 'testbed-rootfs-'))
  try {
    fillRoot(root, bin)
    mkdirSync(cache(), { recursive: true })
    const beside = `${kept}.${process.pid}`
    execFileSync('tar', ['-C', root, '-cf', beside, '.'])
    renameSync(beside, kept)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
  return { tarball: kept, bin }
}

/** A root file system of some of this machine's programs with their libraries; `links` are names in /bin that lead to one of them. */
export function programsRoot(programs: readonly string[], links: Readonly<Record<string, string>> = {}): string {
  const root = mkdtempSync(join(tmpdir(), 'testbed-rootfs-'))
  const tarball = `${root}.tar`
  try {
    const files = programs.map(program => find(program) ?? program)
    for (const folder of ['proc', 'sys', 'dev', 'tmp', 'etc', 'bin']) mkdirSync(join(root, folder), { recursive: true })
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\n')
    for (const file of new Set([...files, ...files.flatMap(linksOf)])) {
      mkdirSync(join(root, dirname(file)), { recursive: true })
      copyFileSync(file, join(root, file))
    }
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(root, 'bin', name))
    execFileSync('tar', ['-C', root, '-cf', tarball, '.'])
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
  return tarball
}

function fillRoot(root: string, bin: string): void {
  const put = (file: string): void => {
    mkdirSync(join(root, dirname(file)), { recursive: true })
    copyFileSync(file, join(root, file))
  }
  // The mount points of a container, and what must be writable by everybody in it.
  for (const folder of ['proc', 'sys', 'dev', 'tmp', 'run', 'etc', 'var/run/postgresql']) mkdirSync(join(root, folder), { recursive: true })
  for (const folder of ['tmp', 'var/run/postgresql']) chmodSync(join(root, folder), 0o1777)
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n')
  for (const tool of ['sh', 'sleep', 'cat']) put(`/bin/${tool}`)
  const libraries = execFileSync(join(bin, 'pg_config'), ['--pkglibdir'], { encoding: 'utf8' }).trim()
  const share = execFileSync(join(bin, 'pg_config'), ['--sharedir'], { encoding: 'utf8' }).trim()
  // Where they are here: they find their other files from there.
  for (const program of PROGRAMS) put(join(bin, program))
  const modules = ['plpgsql.so', 'pgcrypto.so', 'dict_snowball.so'].map(name => join(libraries, name)).filter(existsSync)
  for (const module of modules) put(module)
  for (const name of readdirSync(libraries).filter(name => name.startsWith('lib') || name.includes('_and_'))) put(join(libraries, name))
  for (const folder of [share, '/usr/share/zoneinfo']) {
    mkdirSync(join(root, dirname(folder)), { recursive: true })
    // With what its links point to; Node's own copying stops at links between files.
    execFileSync('cp', ['-rL', folder, join(root, folder)])
  }
  const linked = [...PROGRAMS.map(program => join(bin, program)), ...modules, '/bin/sh', '/bin/sleep', '/bin/cat'].flatMap(linksOf)
  for (const library of new Set(linked)) put(library)
}

/** The libraries that a program is linked with; none for a static one. */
export function linksOf(file: string): string[] {
  const ldd = find('ldd')
  if (ldd === undefined) throw new Error('ldd is missing: it comes with the C library of Linux')
  const { stdout, stderr, status } = spawnSync(ldd, [file], { encoding: 'utf8' })
  if (status !== 0 && !stderr.includes('not a dynamic executable')) throw new Error(`ldd ${file}: ${stderr}`)
  return status === 0 ? (stdout.match(/\/\S+/g) ?? []) : []
}
