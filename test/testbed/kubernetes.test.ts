import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { describeWith } from './index.ts'
import { cluster, sweepNamespaces } from './kubernetes.ts'

describeWith(['kubernetes'], 'namespaces of tests', () => {
  test('those of a process that has died are removed by the next sweep, and ours stay', () => {
    const on = cluster()
    const ours = on.namespace('swept')
    const theirs = on.namespace('swept')
    try {
      const dead = JSON.stringify([hostname(), 2 ** 22 + 1, 'ended'])
      on.kubectl(['annotate', '--overwrite', 'namespace', theirs.name, `runbooks.dev/testbed-owner=${dead}`])
      expect(sweepNamespaces(on)).toContain(theirs.name)
      expect(sweepNamespaces(on)).not.toContain(theirs.name)
      const phase = (name: string) => on.tries(['get', 'namespace', name, '-o', 'jsonpath={.status.phase}']).stdout
      expect(phase(theirs.name)).not.toBe('Active')
      expect(phase(ours.name)).toBe('Active')
    } finally {
      ours.remove()
    }
  })
})
