import { launch, type Server } from './server.ts'
import { find } from './tools.ts'

/** One way through the proxy to an upstream. */
export type Proxy = {
  /** `127.0.0.1:<port>`: what a client is pointed at instead of the upstream. */
  readonly address: string
  readonly port: number
  /** Adds a fault (`latency`, `bandwidth`, `reset_peer`, `timeout`, `limit_data`, `slicer`…), by default to what the upstream answers. */
  toxic(type: string, attributes?: Readonly<Record<string, number>>, stream?: 'upstream' | 'downstream'): Promise<void>
  /** Takes all faults away. */
  clear(): Promise<void>
  /** Cuts every connection and refuses new ones. */
  down(): Promise<void>
  /** Lets connections through again, on the same port. */
  up(): Promise<void>
}

/** A started Toxiproxy; each way through it listens on a port of its own. */
export type Toxiproxy = Server & {
  /** Opens a way to `host:port`. */
  through(upstream: string): Promise<Proxy>
}

/** Starts Toxiproxy on a port of its own. */
export async function toxiproxy(wanted: { readonly port?: number; readonly stays?: boolean } = {}): Promise<Toxiproxy> {
  const file = find('toxiproxy-server')
  if (file === undefined) throw new Error('toxiproxy-server is missing; to install it: npm run testbed -- install toxiproxy')
  const server = await launch({
    name: 'toxiproxy',
    port: wanted.port,
    stays: wanted.stays,
    command: port => ({ file, argv: ['-host', '127.0.0.1', '-port', String(port)] }),
    ready: port => call(port, 'GET', '/version'),
  })
  let opened = 0
  return {
    ...server,
    through: upstream => open(server.port, `way-${++opened}`, upstream),
  }
}

async function open(api: number, name: string, upstream: string): Promise<Proxy> {
  const made = (await call(api, 'POST', '/proxies', { name, listen: '127.0.0.1:0', upstream, enabled: true })) as { listen: string }
  const enable = async (enabled: boolean): Promise<void> => {
    await call(api, 'POST', `/proxies/${name}`, { listen: made.listen, upstream, enabled })
  }
  return {
    address: made.listen,
    port: Number(made.listen.split(':').at(-1)),
    async toxic(type, attributes = {}, stream = 'downstream') {
      await call(api, 'POST', `/proxies/${name}/toxics`, { type, stream, attributes, toxicity: 1 })
    },
    async clear() {
      const toxics = (await call(api, 'GET', `/proxies/${name}/toxics`)) as { name: string }[]
      for (const toxic of toxics) await call(api, 'DELETE', `/proxies/${name}/toxics/${toxic.name}`)
    },
    down: () => enable(false),
    up: () => enable(true),
  }
}

async function call(api: number, method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await fetch(`http://127.0.0.1:${api}${path}`, {
    method,
    signal: AbortSignal.timeout(10_000),
    ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`toxiproxy: ${method} ${path}: ${answer.status} ${text.trim()}`)
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
