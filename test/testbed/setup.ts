import { dirname } from 'node:path'
import type { TestProject } from 'vitest/node'
import { type Availability, demanded, prepare } from './availability.ts'
import { type Component, usual } from './catalogue.ts'
import { cluster, kubectlFile, sweepNamespaces } from './kubernetes.ts'
import { sweep } from './records.ts'
import { putOnPath } from './tools.ts'

declare module 'vitest' {
  interface ProvidedContext {
    testbed: Record<Component, Availability>
  }
}

const say = (line: string): void => void process.stderr.write(`testbed: ${line}\n`)

/** Runs once before all tests: installs when asked, says what the tests can use, and afterwards ends servers that a dead worker left. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const orphans = await sweep()
  if (orphans.length > 0) say(`ended servers of runs that were cut: ${orphans.join(', ')}`)
  const found = await prepare(usual, say)
  putOnPath()
  if (found.kubernetes.ok) {
    putOnPath(dirname(kubectlFile()!))
    for (const namespace of sweepNamespaces(cluster())) say(`removed namespace ${namespace} of a run that was cut`)
  }
  const looked: readonly Component[] = [...usual, 'kubernetes']
  const missing = looked.filter(component => !found[component].ok)
  const had = looked.filter(component => found[component].ok)
  say(`has ${had.map(component => (component === 'mongodb' ? `mongodb (${process.env.TESTBED_MONGODB})` : component)).join(', ') || 'nothing'}`)
  for (const component of missing) say(`lacks ${component}: ${reason(found[component])}`)
  const refused = missing.filter(component => demanded().includes(component))
  if (refused.length > 0) throw new Error(`TESTBED_REQUIRE=${process.env.TESTBED_REQUIRE}, but the testbed lacks ${refused.join(', ')}`)
  if (missing.length > 0) say('tests of what is lacking are skipped; TESTBED_INSTALL=yes npm test installs it first')
  project.provide('testbed', found)
  return async () => {
    const left = await sweep()
    if (left.length > 0) say(`ended servers that tests had left running: ${left.join(', ')}`)
  }
}

function reason(availability: Availability): string {
  return availability.ok ? '' : availability.why
}
