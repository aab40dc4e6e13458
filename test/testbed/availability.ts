import { spawnSync } from 'node:child_process'
import { type Component, components, toolsOf, usual } from './catalogue.ts'
import { install } from './install.ts'
import { lookForCluster, makeKindCluster } from './kubernetes.ts'
import { find } from './tools.ts'

/** Whether a component can be had on this machine: how, or why not and what to type. */
export type Availability = { readonly ok: true; readonly how: string } | { readonly ok: false; readonly why: string }

/** What plays MongoDB: the server itself, its image, or FerretDB, which stands in and can do less. */
export type MongoKind = 'mongod' | 'docker' | 'ferretdb'

/** The image that is run when Docker works and mongod is not installed. */
export const mongoImage = 'mongo:7'

const installing = (): boolean => process.env.TESTBED_INSTALL === 'yes'

const quietly = (file: string, argv: readonly string[], timeout: number): boolean => spawnSync(file, argv, { stdio: 'ignore', timeout }).status === 0

function imageCanRun(): boolean {
  if (find('docker') === undefined || !quietly('docker', ['info'], 5_000)) return false
  if (quietly('docker', ['image', 'inspect', mongoImage], 5_000)) return true
  return installing() && quietly('docker', ['pull', '--quiet', mongoImage], 180_000)
}

/** Which MongoDB is used here, the real thing first; TESTBED_MONGODB=mongod|docker|ferretdb decides it instead. */
export function mongoKind(): MongoKind {
  const wanted = process.env.TESTBED_MONGODB
  if (wanted === 'mongod' || wanted === 'docker' || wanted === 'ferretdb') return wanted
  if (wanted) throw new Error(`TESTBED_MONGODB is ${wanted}; it can be mongod, docker or ferretdb`)
  if (find('mongod')) return 'mongod'
  return imageCanRun() ? 'docker' : 'ferretdb'
}

const toolsFor = (component: Component): readonly string[] => (component === 'mongodb' ? [mongoKind()] : toolsOf[component])

/** Installs what is missing of these when TESTBED_INSTALL=yes (`say` is told), then tells of every component whether it can be had. */
export async function prepare(wanted: readonly Component[], say: (line: string) => void): Promise<Record<Component, Availability>> {
  // Decided once: everything started from here inherits the decision.
  process.env.TESTBED_MONGODB = mongoKind()
  const failures = installing() ? await install(wanted.flatMap(toolsFor), say) : new Map<string, string>()
  if (installing() && wanted.includes('kubernetes')) makeKindCluster(say)
  return Object.fromEntries(components.map(component => [component, look(component, failures)])) as Record<Component, Availability>
}

function look(component: Component, failures: ReadonlyMap<string, string>): Availability {
  if (component === 'kubernetes') return lookForCluster()
  const tools = toolsFor(component)
  const missing = tools.filter(tool => find(tool) === undefined)
  if (component === 'docker' && process.getuid?.() !== 0) return { ok: false, why: 'a Docker engine of one’s own can only be started by root' }
  if (missing.length === 0) return { ok: true, how: `${find(tools[0]!)}${component === 'mongodb' ? mongoNote() : ''}` }
  const reasons = missing.map(tool => failures.get(tool) ?? `${tool} is neither on PATH nor in the testbed's cache`)
  return { ok: false, why: `${reasons.join('; ')}. To install it: npm run testbed -- install ${component}` }
}

function mongoNote(): string {
  const kind = mongoKind()
  if (kind === 'docker') return ` with the image ${mongoImage}`
  return kind === 'ferretdb' ? ', a stand-in for mongod' : ''
}

/** The components that must be there, or the tests fail instead of being skipped: TESTBED_REQUIRE=all means all that TESTBED_INSTALL=yes installs, and the cluster that TESTBED_KUBECONFIG names; or names with commas. */
export function demanded(): readonly Component[] {
  const wanted = process.env.TESTBED_REQUIRE ?? ''
  if (wanted === 'all') return process.env.TESTBED_KUBECONFIG ? [...usual, 'kubernetes'] : usual
  return named(wanted.split(',').filter(name => name !== ''))
}

/** Names as components; `all` means every one. */
export function named(names: readonly string[]): readonly Component[] {
  if (names.includes('all')) return components
  const wrong = names.find(name => !(components as string[]).includes(name))
  if (wrong !== undefined) throw new Error(`${wrong} is not a part of the testbed; there are ${components.join(', ')} (usual: ${usual.join(', ')})`)
  return names as Component[]
}
