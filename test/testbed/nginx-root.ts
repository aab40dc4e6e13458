import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { bin, cache, find } from './tools.ts'

/** The file of the testbed's cache that nginx-image is: a root file system with nginx and busybox, found as tools are. */
const NGINX_ROOT = 'nginx-root.tar'

const PROGRAMS = ['/usr/sbin/nginx', '/usr/bin/busybox']
/** What node is linked with. */
const FOR_NODE = ['libdl.so.2', 'libstdc++.so.6', 'libm.so.6', 'libgcc_s.so.1', 'libpthread.so.0', 'libc.so.6', 'libatomic.so.1']
const FOLDERS = [
  'bin',
  'usr/lib',
  'usr/sbin',
  'usr/bin',
  'usr/local/bin',
  'tmp',
  'etc',
  'proc',
  'sys',
  'dev',
  'run',
  'var/log/nginx',
  'var/lib/nginx',
]

/** Makes NGINX_ROOT out of Debian sid: there is no registry to pull an image from, and Debian 12's nginx is too old to resolve upstreams anew. */
export function makeNginxRoot(): void {
  const debootstrap = find('debootstrap')
  if (debootstrap === undefined) throw new Error('debootstrap is missing: apt-get install debootstrap')
  const work = mkdtempSync(join(tmpdir(), 'testbed-sid-'))
  try {
    const [sid, root] = [join(work, 'sid'), join(work, 'root')]
    const packages = '--include=nginx-light,busybox,libstdc++6,libgcc-s1'
    execFileSync(debootstrap, ['--variant=minbase', packages, 'sid', sid, mirror()], { stdio: ['ignore', 'ignore', 'pipe'] })
    fill(sid, root)
    mkdirSync(bin(), { recursive: true })
    const beside = join(bin(), `.${NGINX_ROOT}-${process.pid}`)
    execFileSync('tar', ['-C', root, '-cf', beside, '.'])
    // Tools are found as programs.
    execFileSync('chmod', ['755', beside])
    renameSync(beside, join(bin(), NGINX_ROOT))
  } finally {
    execFileSync('rm', ['-rf', '--one-file-system', work])
  }
}

const chroot = (): string => find('chroot') ?? '/usr/sbin/chroot'

/** The mirror that this machine has its packages from. */
function mirror(): string {
  const sources = '/etc/apt/sources.list.d/debian.sources'
  const found = existsSync(sources) ? /^URIs:\s*(\S+)/m.exec(readFileSync(sources, 'utf8'))?.[1] : undefined
  return found ?? 'http://deb.debian.org/debian'
}

function fill(sid: string, root: string): void {
  for (const folder of FOLDERS) mkdirSync(join(root, folder), { recursive: true })
  execFileSync('chmod', ['1777', join(root, 'tmp')])
  symlinkSync('usr/lib', join(root, 'lib'))
  const put = (file: string): void => {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    execFileSync('cp', ['-L', join(sid, file), join(root, file)])
  }
  const libraries = PROGRAMS.flatMap(file => execFileSync(chroot(), [sid, 'ldd', file], { encoding: 'utf8' }).match(/\/\S+/g) ?? [])
  const folder = dirname(libraries.find(file => file.includes('libc.so')) ?? '/usr/lib/libc.so')
  const wanted = FOR_NODE.map(name => join(folder, name)).filter(file => existsSync(join(sid, file)))
  for (const file of new Set([...PROGRAMS, ...libraries, ...wanted])) put(file)
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0::/:/bin/sh\nnode:x:1000:1000::/:/bin/sh\nnginx:x:101:101::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n',
  )
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnode:x:1000:\nnginx:x:101:\nnogroup:x:65534:\n')
  execFileSync(chroot(), [root, '/usr/bin/busybox', '--install', '-s', '/bin'])
}

/** A root file system with nginx, busybox, and the Node that runs this; kept. */
export function nodeRoot(): string {
  const base = find(NGINX_ROOT)
  if (base === undefined) throw new Error('the image of nginx is missing; to make it: npm run testbed -- install nginx-image')
  const kept = join(cache(), `rootfs-nginx-node-${process.version}.tar`)
  if (existsSync(kept)) return kept
  const root = mkdtempSync(join(tmpdir(), 'testbed-node-'))
  try {
    mkdirSync(join(root, 'usr/local/bin'), { recursive: true })
    const node = join(root, 'usr/local/bin/node')
    copyFileSync(process.execPath, node)
    const strip = find('strip')
    if (strip) execFileSync(strip, [node])
    const beside = `${kept}.${process.pid}`
    copyFileSync(base, beside)
    execFileSync('tar', ['-C', root, '-rf', beside, './usr/local/bin/node'])
    renameSync(beside, kept)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
  return kept
}
