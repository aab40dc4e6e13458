import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { engine } from './docker-engine.ts'
import { postgresRoot, programsRoot } from './rootfs.ts'
import type { Server } from './server.ts'
import { find } from './tools.ts'

/** What a folder in a service is looked at and moved with. */
const FILE_PROGRAMS = ['sleep', 'cat', 'tar', 'find', 'stat', 'mv', 'rm', 'rmdir', 'mkdir', 'chmod', 'touch', 'ln', 'sort', 'sync', 'xargs']

/** A Docker engine of its own: it shares neither images, containers nor networks with one that the machine may have. */
export type Docker = Server & {
  /** `unix://…`, for DOCKER_HOST. */
  readonly address: string
  /** Runs docker and returns what it prints; throws with what it said. */
  docker(...argv: readonly string[]): string
  /** An image with PostgreSQL's programs, made from those of this machine. */
  postgresImage(): string
  /** An image with a shell and the programs that handle files, GNU's or BusyBox's, made from those of this machine. */
  filesImage(kind: 'gnu' | 'busybox'): string
  /** An image with a shell, bash, and these programs of this machine. */
  image(name: string, programs: readonly string[]): string
  /** Writes a Compose file, starts its services, and returns the file's path; `stop` of the engine ends them. */
  up(project: string, services: Readonly<Record<string, object>>): string
}

/**
 * Starts Docker; it must be root. Its containers have no network: bridges and packet filters belong to the whole machine.
 */
export async function docker(): Promise<Docker> {
  const { server, address, docker: run, end } = await engine('docker', 'none')
  const projects = new Map<string, string>()
  const imported = (name: string, tarball: string): string => {
    const image = `testbed/${name}`
    try {
      run('import', '--change', 'ENV PATH=/usr/bin:/bin', tarball, image)
    } finally {
      rmSync(tarball, { force: true })
    }
    return image
  }
  return {
    ...server,
    address,
    docker: run,
    postgresImage() {
      const image = 'testbed/postgres'
      const { tarball, bin } = postgresRoot()
      run('import', '--change', `ENV PATH=${bin}:/usr/bin:/bin`, tarball, image)
      return image
    },
    filesImage(kind) {
      if (kind === 'gnu') return imported('files-gnu', programsRoot(['/bin/sh', ...FILE_PROGRAMS]))
      const links = Object.fromEntries(['sh', ...FILE_PROGRAMS].map(name => [name, find('busybox') ?? '']))
      return imported('files-busybox', programsRoot(['busybox'], links))
    },
    image: (name, programs) => imported(name, programsRoot(['/bin/sh', 'bash', 'cat', 'dd', 'sleep', 'mkdir', ...programs])),
    up(project, services) {
      const compose = join(server.folder, `${project}.yaml`)
      // JSON is YAML.
      writeFileSync(compose, JSON.stringify({ services }))
      projects.set(project, compose)
      run('compose', '-p', project, '-f', compose, 'up', '--detach', '--wait')
      return compose
    },
    async stop() {
      for (const [project, compose] of projects) run('compose', '-p', project, '-f', compose, 'down', '--timeout', '1', '--volumes')
      end()
      await server.stop()
    },
  }
}
