import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Trouble } from '../plan/outcome.ts'
import type { Doing } from '../plan/plan.ts'
import { type Child, start } from './child.ts'
import { inService, type ServicePlace } from './place.ts'

/** A way to a port inside a service: a socket of the file system that only this user can open, each connection a process of its own. */
export type Tunnel = {
  readonly path: string
  /** Resolves with what was said when a connection cannot be made, or the Trouble on the way to it; never, while they can. */
  readonly failed: Promise<string | Trouble>
  /** Ends every connection, and waits until it is gone. */
  close(): Promise<void>
}

/**
 * Joins the port with stdin and stdout; bash's own /dev/tcp, because an image of a database rarely has nc, and dd, because BusyBox's cat
 * may hold back what comes from a pipe until the pipe ends. Either side's end ends both:
 * with job control the reader is a group of its own, which can be ended whole, and nothing that is left holds stdout or stderr open.
 */
const JOIN = `set -m
exec 3<>"/dev/tcp/$0/$1" || exit 1
{ dd bs=65536 <&3; kill $$; } 2>/dev/null &
reader=$!
dd bs=65536 >&3 2>/dev/null
kill -- -$reader 2>/dev/null`

/** Opens a way to a port as seen from inside the service, which needs bash and dd. */
export async function tunnel(place: ServicePlace, to: { readonly host: string; readonly port: number }, doing: Doing): Promise<Tunnel> {
  const folder = await mkdtemp(join(tmpdir(), 'runbooks-'))
  // By this ending MongoDB's driver and tools know that it is no host.
  const path = join(folder, 'port.sock')
  const open = new Set<Promise<unknown>>()
  const sockets = new Set<Socket>()
  const failed = Promise.withResolvers<string | Trouble>()
  const connect = async (socket: Socket) => {
    sockets.add(socket)
    // Whoever closed it is heard of through its end.
    socket.on('error', () => {})
    const command = inService(place, { file: 'bash', argv: ['-c', JOIN, to.host, String(to.port)] }, { input: true })
    try {
      const child = await start(command, doing, { stdin: 'pipe' })
      joined(socket, child)
      const { code, lost } = await child.ended
      if (lost instanceof Trouble) failed.resolve(lost)
      else if (code !== 0 && child.stderr() !== '') failed.resolve(child.stderr())
    } catch (error) {
      failed.resolve(error instanceof Trouble ? error : error instanceof Error ? error.message : String(error))
    } finally {
      socket.destroy()
      sockets.delete(socket)
    }
  }
  const server = createServer(socket => {
    const done = connect(socket).finally(() => open.delete(done))
    open.add(done)
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve))
  return {
    path,
    failed: failed.promise,
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await Promise.all(open)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function joined(socket: Socket, child: Child): void {
  child.stdout.on('error', () => {})
  child.stdin?.on('error', () => {})
  child.stdout.pipe(socket)
  if (child.stdin) socket.pipe(child.stdin)
  // Its end of input ends it, inside as well; docker itself would take longer to be told.
  const leave = () => {
    child.stdin?.end()
    const late = setTimeout(() => child.stop('nobody uses its connection any more'), LEAVE_MS)
    void child.ended.then(() => clearTimeout(late))
  }
  if (socket.destroyed) leave()
  else socket.once('close', leave)
}

/** How long the far end of a connection has to go by itself, in milliseconds. */
const LEAVE_MS = 3_000
