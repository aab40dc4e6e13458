import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ComposeWorld } from '../test/platforms/compose/world.ts'
import { freePort } from '../test/testbed/ports.ts'
import { crowd, type Seen } from './crowd.ts'

/** Docker Compose alone, as people use it: one service `web` behind an nginx that asks Docker's names, in a project of its own. */
export type Rival = {
  /** `docker compose up -d --wait` of a version; gives how long it took, in milliseconds, and its exit code. */
  up(version: string, more?: readonly string[]): Promise<{ readonly ms: number; readonly code: number | null }>
  /** A new version in place of the old one, under users. */
  inPlace(version: string): Promise<Seen>
  /** docker-rollout's way, under users: a second instance, wait for it, stop and remove the first. */
  rollout(version: string): Promise<Seen>
  close(): Promise<void>
}

const NGINX = `worker_processes 2;
pid /tmp/nginx.pid;
events { worker_connections 1024; }
http {
  client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c; uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
  access_log off;
  resolver 127.0.0.11 valid=1s ipv6=off;
  upstream web { zone web 64k; server web:3000 resolve; keepalive 32; }
  server { listen 8080; location / { proxy_http_version 1.1; proxy_set_header Connection ''; proxy_pass http://web; } }
}
`

/** Starts the rival with a version that is good. */
export async function rival(world: ComposeWorld, version: string): Promise<Rival> {
  const port = await freePort()
  const folder = join(world.directory, '..', `rival-${port}`)
  const project = `rival${port}`
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'nginx.conf'), NGINX)
  writeFileSync(join(folder, 'compose.yaml'), JSON.stringify(composeFile(world, port)))
  // Never synchronous: the users ask from this very process.
  const docker = (args: readonly string[], VERSION = version): Promise<{ code: number | null; stdout: string }> =>
    new Promise(resolve => {
      const env = { ...process.env, DOCKER_HOST: world.engine.address, VERSION }
      const child = execFile('docker', args, { env }, (_, stdout) => resolve({ code: child.exitCode, stdout }))
    })
  const compose = (args: readonly string[], which?: string) => docker(['compose', '-p', project, '-f', join(folder, 'compose.yaml'), ...args], which)
  const up = async (which: string, more: readonly string[] = []) => {
    const began = performance.now()
    const { code } = await compose(['up', '-d', '--wait', ...more], which)
    return { ms: performance.now() - began, code }
  }
  const webs = async () => (await compose(['ps', '-q', 'web'])).stdout.split('\n').filter(Boolean)
  const under = async (work: () => Promise<unknown>): Promise<Seen> => {
    const users = crowd(`http://127.0.0.1:${port}`)
    await sleep(1_000)
    await work()
    await sleep(2_000)
    return users.goHome()
  }
  await up(version)
  return {
    up,
    inPlace: which => under(() => up(which)),
    rollout: which =>
      under(async () => {
        const old = await webs()
        await up(which, ['--no-recreate', '--scale', `web=${old.length + 1}`])
        await docker(['stop', ...old])
        await docker(['rm', ...old])
      }),
    async close() {
      await compose(['down', '--timeout', '1', '--volumes'])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const composeFile = (world: ComposeWorld, port: number) => ({
  services: {
    web: {
      image: `shop/web:\${VERSION}`,
      restart: 'unless-stopped',
      environment: { KIND: 'web', PORT: '3000' },
      healthcheck: {
        test: ['CMD-SHELL', 'wget -q -O - http://127.0.0.1:3000/health'],
        interval: '5s',
        retries: 3,
        start_period: '60s',
        start_interval: '250ms',
      },
      stop_grace_period: '5s',
    },
    nginx: {
      image: world.engine.base(),
      command: ['nginx', '-c', '/etc/rival/nginx.conf', '-g', 'daemon off;'],
      tmpfs: ['/tmp'],
      volumes: ['./nginx.conf:/etc/rival/nginx.conf:ro'],
      ports: [`127.0.0.1:${port}:8080`],
    },
  },
})
