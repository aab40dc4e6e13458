import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { folderOf } from '../../compose/assets.ts'
import { type Invoke, invoke, newWorld, type Ran, type World } from '../../runbooks/kit.ts'
import { type DockerHost, dockerHost } from '../../testbed/docker-host.ts'
import { freePort } from '../../testbed/ports.ts'
import { find } from '../../testbed/tools.ts'

const VOLUME = "node -e 'fetch(process.argv[1]).then(a => process.exit(a.ok ? 0 : 1), () => process.exit(1))'"

const TEMPLATES = 'usr/share/prometheus/alertmanager'

type Ports = Readonly<Record<'prometheus' | 'alertmanager' | 'grafana' | 'node-exporter', number>>

/** The monitoring of benevoclic, with its own files, on a Docker engine of its own. */
export type Monitoring = {
  readonly engine: DockerHost
  readonly world: World
  readonly assets: string
  /** Folder of the stack on the host. */
  readonly directory: string
  readonly ports: Ports
  /** Runs a runbook of the stack. */
  play(runbook: string, flags?: readonly string[], how?: Invoke): Promise<Ran>
  /** Writes the stack file anew: another folder on the host and project, and more of the platform as text of TypeScript. */
  describe(other: { readonly directory: string; readonly project: string; readonly platform: string }): void
  /** Changes a file of the assets. */
  change(path: string, to: (text: string) => string): void
  /** What a service answers on its loopback port. */
  ask(service: keyof Ports, path: string): Promise<string>
  /** The container of a service, with when it was started. */
  container(service: string, project?: string): string
  close(): Promise<void>
}

/** Makes `<repository>:<tag>` of the base image: programs of this machine or files of ours in it, and how it starts. */
export function makeImage(engine: DockerHost, name: string, files: Readonly<Record<string, string>>, entry: readonly string[]): void {
  const work = mkdtempSync(join(tmpdir(), 'monitoring-image-'))
  mkdirSync(join(work, 'usr/bin'), { recursive: true })
  for (const [to, from] of Object.entries(files)) {
    if (to.includes('/')) cpSync(from, join(work, to), { recursive: true })
    else cpSync(find(from) ?? join(import.meta.dirname, from), join(work, 'usr/bin', to))
  }
  const made = engine.docker('create', engine.base(), 'true')
  engine.docker('cp', '--quiet', `${work}/.`, `${made}:/`)
  engine.docker('commit', '--change', `ENTRYPOINT ${JSON.stringify(entry)}`, '--change', 'CMD []', made, name)
  engine.docker('rm', made)
  rmSync(work, { recursive: true, force: true })
}

/** Starts the engine with images of Prometheus, Alertmanager and node-exporter made of this machine's programs, and of a stand-in of Grafana. */
export async function monitoring(): Promise<Monitoring> {
  const engine = await dockerHost()
  const prometheus = { prometheus: 'prometheus', promtool: 'promtool' }
  makeImage(engine, 'prom/prometheus:v3.5.0', prometheus, ['/usr/bin/prometheus'])
  makeImage(engine, 'prom/prometheus:v3.6.0', { ...prometheus, 'deaf.mjs': 'deaf.mjs' }, ['/usr/local/bin/node', '/usr/bin/deaf.mjs'])
  // Debian's has its templates beside it.
  const alertmanager = { alertmanager: 'prometheus-alertmanager', amtool: 'amtool', [TEMPLATES]: join('/', TEMPLATES) }
  makeImage(engine, 'prom/alertmanager:v0.28.1', alertmanager, ['/usr/bin/alertmanager'])
  makeImage(engine, 'prom/node-exporter:v1.9.1', { 'node-exporter': 'prometheus-node-exporter' }, ['/usr/bin/node-exporter'])
  makeImage(engine, 'grafana/grafana:12.1.1', { 'stand-in.mjs': 'stand-in.mjs' }, ['/usr/local/bin/node', '/usr/bin/stand-in.mjs'])
  const world = newWorld()
  const [assets, directory] = [join(world.folder, 'assets'), join(world.folder, 'host')]
  cpSync(folderOf('benevoclic'), assets, { recursive: true })
  // Inside a container / is no shared mount, as it is on a host with systemd.
  const compose = join(assets, 'monitoring.yaml')
  writeFileSync(compose, readFileSync(compose, 'utf8').replace('/:/host:ro,rslave', '/:/host:ro'))
  const ports: Ports = { prometheus: await freePort(), alertmanager: await freePort(), grafana: await freePort(), 'node-exporter': await freePort() }
  const describe: Monitoring['describe'] = other => {
    mkdirSync(other.directory, { recursive: true })
    chmodSync(other.directory, 0o777)
    writeFileSync(join(world.config, 'shop.ts'), stackFile({ assets, ports, database: world.database, ...other }))
  }
  describe({ directory, project: 'benevoclic', platform: '' })
  engine.docker('network', 'create', 'benevoclic-edge')
  return {
    engine,
    world,
    assets,
    directory,
    ports,
    describe,
    play: (runbook, flags = [], how = {}) =>
      invoke(world, runbook, flags, {
        ...how,
        env: { DOCKER_HOST: engine.address, PATH: process.env.PATH ?? '', WEBHOOK: 'http://127.0.0.1:9/hook', GRAFANA: 'a password', ...how.env },
      }),
    change(path, to) {
      const file = join(assets, path)
      const text = readFileSync(file, 'utf8')
      if (to(text) === text) throw new Error(`nothing changes in ${path}`)
      writeFileSync(file, to(text))
    },
    ask: async (service, path) => (await fetch(`http://127.0.0.1:${ports[service]}${path}`)).text(),
    container(service, project = 'benevoclic') {
      const id = engine.docker(
        'ps',
        '-q',
        '--filter',
        `label=com.docker.compose.project=${project}-monitoring`,
        '--filter',
        `label=com.docker.compose.service=${service}`,
      )
      return engine.docker('inspect', '-f', '{{.Id}} {{.State.StartedAt}}', id)
    },
    async close() {
      await engine.stop()
      rmSync(world.folder, { recursive: true, force: true })
    },
  }
}

type Told = { assets: string; directory: string; ports: Ports; platform: string; project: string; database: string }

function stackFile({ assets, directory, ports, platform, project, database }: Told): string {
  const probe = (url: string) => VOLUME.replace('process.argv[1]', JSON.stringify(url))
  const variables = Object.fromEntries(
    Object.entries(ports).flatMap(([name, port]) => {
      const [own, path] = {
        prometheus: [9090, '/-/ready'],
        alertmanager: [9093, '/-/ready'],
        grafana: [3000, '/api/health'],
        'node-exporter': [9100, '/'],
      }[name as keyof Ports] as [number, string]
      const variable = name.toUpperCase().replace('-', '_')
      return [
        [`${variable}_PORT`, String(port)],
        // The official images make their volumes writable for their users.
        [`${variable}_RUN_AS`, '0:0'],
        [`${variable}_PROBE`, probe(`http://127.0.0.1:${own}${path}`)],
      ]
    }),
  )
  return `import { compose, defineStack, directory, secret, sqlite } from 'runbooks'
export default defineStack({
  name: 'shop',
  timezone: 'Europe/Paris',
  services: { api: { image: 'shop/api', port: 3000, health: '/health', traffic: 'split', twice: 'allowed' } },
  configured: {
    prometheus: {
      file: 'monitoring.yaml', folder: 'prometheus', apply: 'HUP',
      check: ['promtool', 'check', 'config', '/etc/prometheus/prometheus.yml'],
      proof: { kind: 'prometheus', port: ${ports.prometheus}, file: 'prometheus/prometheus.yml' },
    },
    alertmanager: {
      file: 'monitoring.yaml', folder: 'alertmanager', apply: 'HUP',
      check: ['amtool', 'check-config', '/etc/alertmanager/alertmanager.yml'],
      secrets: { discord_webhook_url: secret('WEBHOOK') },
      proof: { kind: 'alertmanager', port: ${ports.alertmanager}, file: 'alertmanager/alertmanager.yml' },
    },
    grafana: {
      file: 'monitoring.yaml', folder: 'grafana', secrets: { grafana_admin_password: secret('GRAFANA') },
      proof: { kind: 'grafana', port: ${ports.grafana}, boards: 'grafana/dashboards', password: 'grafana_admin_password' },
    },
    'node-exporter': { file: 'monitoring.yaml', proof: { kind: 'http', port: ${ports['node-exporter']}, path: '/metrics', contains: 'node_exporter_build_info' } },
  },
  deploy: { budget: '25s' },
  data: { database: sqlite({ file: ${JSON.stringify(database)} }) },
  environments: {
    local: {
      platform: compose({
        project: ${JSON.stringify(project)}, directory: ${JSON.stringify(directory)}, files: ${JSON.stringify(assets)}, door: 'http://127.0.0.1:9',
        environment: ${JSON.stringify(variables)},
        ${platform}
      }),
      stores: [directory({ path: 'backups' })],
    },
  },
})
`
}
