import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { type Check, type Finding, lookAtAll } from '../../lib/checks/check.ts'
import { doing } from '../exec/doing.ts'

/** What one check finds. */
export async function lookAt(check: Check): Promise<Finding> {
  const [finding] = await lookAtAll([check], doing())
  return finding as Finding
}

/** A web server on loopback. */
export type Web = { readonly url: string; readonly port: number; readonly hits: () => number; end(): Promise<void> }

/** Serves what the listener says. */
export async function web(listener: RequestListener): Promise<Web> {
  let hits = 0
  const server: Server = createServer((request, response) => {
    hits += 1
    listener(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    hits: () => hits,
    end: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** A port of loopback where nothing listens. */
export async function deadPort(): Promise<number> {
  const server = await web(() => undefined)
  await server.end()
  return server.port
}

const LISTENS = `const s = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port))`

/** A port of loopback where connecting is never answered: its process is stopped and its queue is full, so that the kernel drops what comes. */
export async function silentPort(): Promise<{ readonly port: number; end(): void }> {
  const child = spawn(process.execPath, ['-e', LISTENS], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(line.toString())
  child.kill('SIGSTOP')
  const waiting: Socket[] = []
  for (let n = 0; n < 4; n++) waiting.push(connect(port, '127.0.0.1').on('error', () => undefined))
  await new Promise(resolve => setTimeout(resolve, 200))
  return {
    port,
    end() {
      for (const socket of waiting) socket.destroy()
      child.kill('SIGKILL')
    },
  }
}
