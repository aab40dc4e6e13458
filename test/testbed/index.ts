import { describe, inject } from 'vitest'
import { demanded } from './availability.ts'
import type { Component } from './catalogue.ts'

export { type Azurite, azurite } from './azurite.ts'
export { type Docker, docker } from './docker.ts'
export { type Cluster, cluster, type Namespace } from './kubernetes.ts'
export { type Minio, minio } from './minio.ts'
export { type Mongo, mongodb } from './mongodb.ts'
export { type Postgres, postgres } from './postgres.ts'
export { type Redis, redis } from './redis.ts'
export { type Sshd, sshd } from './sshd.ts'
export { type Toxiproxy, toxiproxy } from './toxiproxy.ts'

/** True when the component can be had here, otherwise why not and what to type. */
export function available(component: Component): true | string {
  const found = inject('testbed')[component]
  return found.ok ? true : found.why
}

/** A `describe` that needs components; without them it is skipped with the reason in its title, or fails when TESTBED_REQUIRE names them. */
export function describeWith(needs: Component | readonly Component[], title: string, tests: () => void): void {
  const wanted: readonly Component[] = typeof needs === 'string' ? [needs] : needs
  const missing = wanted.filter(component => available(component) !== true)
  if (missing.length === 0) return void describe(title, tests)
  const reasons = missing.map(component => `${component}: ${available(component)}`).join('; ')
  if (missing.some(component => demanded().includes(component))) throw new Error(`${title} needs ${reasons}`)
  describe.skip(`${title} (skipped, needs ${reasons})`, tests)
}
