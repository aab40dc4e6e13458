import { parseArgs } from 'node:util'
import { named, prepare } from './availability.ts'
import { azurite } from './azurite.ts'
import { type Component, components, usual } from './catalogue.ts'
import { alive } from './identity.ts'
import { cluster } from './kubernetes.ts'
import { minio } from './minio.ts'
import { mongodb } from './mongodb.ts'
import { postgres } from './postgres.ts'
import { endRunning, noted, type Running, sweep } from './records.ts'
import { redis } from './redis.ts'
import type { Server } from './server.ts'
import { putOnPath } from './tools.ts'
import { toxiproxy } from './toxiproxy.ts'

const usage = `Real servers for trying runbooks by hand, on 127.0.0.1.

  npm run testbed -- up mongodb s3 azure       start them, print how to reach them, end them on Ctrl-C
  npm run testbed -- up --detach mongodb s3    the same, but they stay until down
  npm run testbed -- up kubernetes             print how to reach the cluster of TESTBED_KUBECONFIG or of kind; it is never ended
  npm run testbed -- status                    what runs, and how to reach it
  npm run testbed -- down [mongodb s3 …]       end what was started with --detach
  npm run testbed -- install [names | all]     install what npm test uses (${usual.join(', ')}),
                                               or these (${components.join(', ')})

up installs what is missing when TESTBED_INSTALL=yes. TESTBED_CACHE names the folder of built tools.
`

/** A started server with what a person needs to know about it. */
type Up = { readonly server: Server; readonly title: string; readonly environment: readonly string[] }

const starters: Readonly<Record<string, (stays: boolean) => Promise<Up>>> = {
  async mongodb(stays) {
    const server = await mongodb({ stays })
    const title = `MongoDB${server.standIn ? ' (FerretDB stands in for mongod)' : ''}`
    return { server, title, environment: [`MONGODB_URI=${server.uri}`] }
  },
  async s3(stays) {
    const server = await minio({ stays })
    const environment = [
      `S3_ENDPOINT=${server.endpoint}`,
      `S3_BUCKET=${await server.bucket('backups')}`,
      `AWS_REGION=${server.region}`,
      `AWS_ACCESS_KEY_ID=${server.accessKey}`,
      `AWS_SECRET_ACCESS_KEY=${server.secretKey}`,
    ]
    return { server, title: 'S3 (MinIO)', environment }
  },
  async azure(stays) {
    const server = await azurite({ stays })
    const environment = [
      `AZURE_STORAGE_ACCOUNT=${server.account}`,
      `AZURE_STORAGE_CONTAINER=${await server.container('backups')}`,
      `AZURE_STORAGE_ENDPOINT=${server.endpoint}`,
      `AZURE_STORAGE_KEY=${server.key}`,
    ]
    return { server, title: 'Azure Blob (Azurite)', environment }
  },
  async toxiproxy(stays) {
    const server = await toxiproxy({ stays })
    return { server, title: 'Toxiproxy', environment: [`TOXIPROXY_URL=http://${server.host}:${server.port}`] }
  },
  async postgres(stays) {
    const server = await postgres({ stays })
    return { server, title: 'PostgreSQL', environment: [`DATABASE_URL=${server.url}postgres`] }
  },
  async redis(stays) {
    const server = await redis({ stays })
    return { server, title: 'Redis', environment: [`REDIS_URL=${server.url}`] }
  },
}

const print = (...lines: readonly string[]): void => void process.stdout.write(`${lines.join('\n')}\n`)
const complain = (line: string): void => void process.stderr.write(`testbed: ${line}\n`)

/** Stops the program with an exit code: 2 for usage, 3 for something missing. */
class Stop extends Error {
  readonly exit: number
  constructor(exit: number, message: string) {
    super(message)
    this.exit = exit
  }
}

async function up(names: readonly string[], detach: boolean): Promise<void> {
  const unknown = names.find(name => starters[name] === undefined && name !== 'kubernetes')
  if (names.length === 0 || unknown !== undefined) {
    throw new Stop(
      2,
      `${unknown === undefined ? 'name what to start' : `${unknown} cannot be started`}: ${[...Object.keys(starters), 'kubernetes'].join(', ')}`,
    )
  }
  const found = await prepare(names as Component[], complain)
  for (const name of names as Component[]) {
    const has = found[name]
    if (!has.ok) throw new Stop(3, `lacks ${name}: ${has.why}`)
  }
  putOnPath()
  if (names.includes('kubernetes')) printCluster()
  const started: Up[] = []
  const stopAll = async (): Promise<void> => void (await Promise.all(started.map(({ server }) => server.stop())))
  try {
    for (const name of names.filter(name => name !== 'kubernetes')) started.push(await starters[name]!(detach))
  } catch (error) {
    await stopAll()
    throw error
  }
  for (const { server, title, environment } of started) {
    server.describe(environment)
    print(`# ${title}: ${server.host}:${server.port}, process ${server.pid()}, log ${server.folder}/server.log`, ...environment)
  }
  if (started.length === 0) return
  const ending = detach ? 'npm run testbed -- down ends the servers.' : 'Ctrl-C ends the servers.'
  print(`# Put these lines into the stack's config/<stack>.<environment>.env. ${ending}`)
  if (detach) return
  await interrupted()
  await stopAll()
}

function printCluster(): void {
  const { server, kubeconfig, kubectl } = cluster()
  const nodes = kubectl(['get', 'nodes', '-o', 'jsonpath={range .items[*]}{.metadata.name} {.status.nodeInfo.kubeletVersion} {end}']).trim()
  print(`# Kubernetes: ${server}, nodes ${nodes}`, `TESTBED_KUBECONFIG=${kubeconfig}`, `KUBECONFIG=${kubeconfig}`)
}

async function interrupted(): Promise<void> {
  // Signal listeners alone do not keep a program running.
  const waiting = setInterval(() => {}, 60_000)
  await new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve)
  })
  clearInterval(waiting)
}

async function down(names: readonly string[]): Promise<void> {
  const ending = noted().filter(running => running.owner === null && (names.length === 0 || names.includes(running.name)))
  for (const running of ending) await endRunning(running)
  const ended = [...ending.map(running => running.name), ...(await sweep())]
  print(ended.length > 0 ? `ended ${ended.join(', ')}` : 'nothing was running that down may end')
}

function status(): void {
  const running = noted()
  if (running.length === 0) print('nothing runs')
  for (const each of running) print(`# ${each.name}: ${state(each)}`, ...each.environment)
}

function state({ server, owner }: Running): string {
  if (!alive(server)) return `process ${server.pid} has ended; down tidies up after it`
  return owner === null ? `process ${server.pid}, until down` : `process ${server.pid}, as long as process ${owner.pid}`
}

async function installNamed(names: readonly string[]): Promise<void> {
  const wanted = names.length === 0 ? usual : chosen(names)
  process.env.TESTBED_INSTALL = 'yes'
  const found = await prepare(wanted, complain)
  for (const component of wanted) {
    const has = found[component]
    print(`${component}: ${has.ok ? has.how : `MISSING: ${has.why}`}`)
  }
  if (wanted.some(component => !found[component].ok)) throw new Stop(3, 'not everything could be installed')
}

function chosen(names: readonly string[]): readonly Component[] {
  try {
    return named(names)
  } catch (error) {
    throw new Stop(2, (error as Error).message)
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { detach: { type: 'boolean' }, help: { type: 'boolean' } } })
  const [command, ...names] = positionals
  if (values.help) print(usage)
  else if (command === 'up') await up(names, values.detach ?? false)
  else if (command === 'down') await down(names)
  else if (command === 'status') status()
  else if (command === 'install') await installNamed(names)
  else throw new Stop(2, `${command === undefined ? 'say what to do' : `${command} is not a command`}\n\n${usage}`)
}

main().catch((error: unknown) => {
  complain((error as Error).message)
  const usageError = (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')
  process.exitCode = error instanceof Stop ? error.exit : usageError ? 2 : 1
})
