/** What tests can ask for. Each is made of tools that must be found on this machine. */
export type Component =
  | 'mongodb'
  | 'mongodb-tools'
  | 's3'
  | 'azure'
  | 'toxiproxy'
  | 'zstd'
  | 'tmux'
  | 'postgres'
  | 'redis'
  | 'docker'
  | 'nginx-image'
  | 'registry'
  | 'age'
  | 'restic'
  | 'chromium'
  | 'promtool'
  | 'amtool'
  | 'monitoring'
  | 'compose'
  | 'ssh'
  | 'kubernetes'

/** The tools of each component; `mongodb` is decided apart, because several programs can be it. */
export const toolsOf: Readonly<Record<Component, readonly string[]>> = {
  mongodb: ['mongod'],
  'mongodb-tools': ['mongodump', 'mongorestore', 'bsondump'],
  s3: ['minio'],
  azure: ['azurite-blob'],
  toxiproxy: ['toxiproxy-server'],
  zstd: ['zstd'],
  tmux: ['tmux'],
  postgres: ['psql', 'pg_dump', 'pg_restore', 'initdb', 'postgres'],
  redis: ['redis-server', 'redis-cli'],
  docker: ['docker', 'docker-compose', 'dockerd', 'iptables', 'ip'],
  'nginx-image': ['debootstrap', 'nginx-root.tar'],
  registry: ['docker-registry'],
  age: ['age', 'age-keygen'],
  restic: ['restic'],
  chromium: ['chromium'],
  promtool: ['promtool'],
  amtool: ['amtool', 'prometheus-alertmanager'],
  // Put into images, to be deployed.
  monitoring: ['prometheus', 'promtool', 'prometheus-alertmanager', 'amtool', 'prometheus-node-exporter'],
  // Reads Compose files; it needs no engine.
  compose: ['docker', 'docker-compose'],
  ssh: ['ssh', 'ssh-keygen', 'sshd'],
  // And a cluster: kubernetes.ts finds it.
  kubernetes: ['kubectl'],
}

/** Every component. */
export const components = Object.keys(toolsOf) as Component[]

/** What `npm test` looks for, and installs when TESTBED_INSTALL=yes; the others are had by asking for them by name. */
export const usual: readonly Component[] = [
  'mongodb',
  'mongodb-tools',
  's3',
  'azure',
  'toxiproxy',
  'zstd',
  'tmux',
  'postgres',
  'redis',
  'promtool',
  'ssh',
  'docker',
  'nginx-image',
  'registry',
  'amtool',
  'monitoring',
  'compose',
]

/** A change to a module's source without which it does not work here: replaces the first `find`, or writes the whole file. */
export type Mend = { readonly file: string; readonly find?: string; readonly put: string }

/** How a tool is had when it is not on the machine: a Debian package, an npm package, or a build of a Go module. */
export type Origin =
  | {
      readonly from: 'debian'
      readonly packageName: string
      /** Debian 12's own is too old, so there it comes from trixie. */
      readonly trixie?: true
    }
  /** Made out of Debian packages. */
  | { readonly from: 'debootstrap' }
  | { readonly from: 'npm'; readonly packageName: string; readonly version: string }
  | {
      readonly from: 'go'
      readonly module: string
      readonly version: string
      /** Package of the program, relative to the module. */
      readonly program: string
      readonly ldflags: string
      readonly mends?: readonly Mend[]
    }

const mongoTool = (name: string): Origin => ({
  from: 'go',
  module: 'github.com/mongodb/mongo-tools',
  // The newest version that the module proxy's checksum database can verify.
  version: 'v0.0.0-20221102190735-6d9d341edd33',
  program: `${name}/main`,
  ldflags: '-s -w -X main.VersionStr=100.6.1 -X main.GitCommit=6d9d341edd33',
})

const goProgram = (module: string, version: string, program: string): Origin => ({ from: 'go', module, version, program, ldflags: '-s -w' })

/** Where tools come from. A tool that is not listed can only be found. */
export const origins: Readonly<Record<string, Origin>> = {
  mongodump: mongoTool('mongodump'),
  mongorestore: mongoTool('mongorestore'),
  bsondump: mongoTool('bsondump'),
  ferretdb: {
    from: 'go',
    module: 'github.com/FerretDB/FerretDB',
    version: 'v1.24.2',
    program: 'cmd/ferretdb',
    ldflags: '-s -w',
    mends: [
      // Generated at release, absent from the module; ferretdb does not start without it.
      { file: 'build/version/version.txt', put: 'v1.24.2\n' },
      // mongorestore 100.6 sends the index option "ns", which mongod ignores and FerretDB refuses.
      { file: 'internal/handler/msg_createindexes.go', find: 'case "background":', put: 'case "ns", "background":' },
    ],
  },
  minio: goProgram('github.com/minio/minio', 'v0.0.0-20260212201848-7aac2a2c5b7c', '.'),
  'azurite-blob': { from: 'npm', packageName: 'azurite', version: '3.34.0' },
  'toxiproxy-server': goProgram('github.com/Shopify/toxiproxy/v2', 'v2.5.0', 'cmd/server'),
  age: goProgram('filippo.io/age', 'v1.3.2', 'cmd/age'),
  'age-keygen': goProgram('filippo.io/age', 'v1.3.2', 'cmd/age-keygen'),
  zstd: { from: 'debian', packageName: 'zstd' },
  tmux: { from: 'debian', packageName: 'tmux' },
  psql: { from: 'debian', packageName: 'postgresql' },
  pg_dump: { from: 'debian', packageName: 'postgresql' },
  pg_restore: { from: 'debian', packageName: 'postgresql' },
  initdb: { from: 'debian', packageName: 'postgresql' },
  postgres: { from: 'debian', packageName: 'postgresql' },
  'redis-server': { from: 'debian', packageName: 'redis-server' },
  'redis-cli': { from: 'debian', packageName: 'redis-tools' },
  dockerd: { from: 'debian', packageName: 'docker.io', trixie: true },
  docker: { from: 'debian', packageName: 'docker-cli', trixie: true },
  'docker-compose': { from: 'debian', packageName: 'docker-compose', trixie: true },
  iptables: { from: 'debian', packageName: 'iptables' },
  ip: { from: 'debian', packageName: 'iproute2' },
  debootstrap: { from: 'debian', packageName: 'debootstrap' },
  'nginx-root.tar': { from: 'debootstrap' },
  'docker-registry': { from: 'debian', packageName: 'docker-registry' },
  restic: { from: 'debian', packageName: 'restic' },
  chromium: { from: 'debian', packageName: 'chromium' },
  prometheus: { from: 'debian', packageName: 'prometheus' },
  promtool: { from: 'debian', packageName: 'prometheus' },
  'prometheus-node-exporter': { from: 'debian', packageName: 'prometheus-node-exporter' },
  amtool: { from: 'debian', packageName: 'prometheus-alertmanager', trixie: true },
  'prometheus-alertmanager': { from: 'debian', packageName: 'prometheus-alertmanager', trixie: true },
  ssh: { from: 'debian', packageName: 'openssh-client' },
  'ssh-keygen': { from: 'debian', packageName: 'openssh-client' },
  sshd: { from: 'debian', packageName: 'openssh-server' },
  kubectl: { from: 'debian', packageName: 'kubernetes-client' },
}
