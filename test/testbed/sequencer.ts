import { relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Beginnings of what takes minutes, the longest first: begun last, one of them would run alone at the end. */
const LONG = [
  'test/runbooks/compose-kill',
  'test/runbooks/kubernetes-kill',
  'test/runbooks/kill',
  'test/platforms/compose.test',
  'test/runbooks/faults-compose',
  'test/platforms/kubernetes',
  'test/stacks/',
  'test/runbooks/',
  'test/platforms/',
  'test/demo/run',
]

/** Begins with what takes longest, so that all workers end together. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const found = LONG.findIndex(beginning => relative(process.cwd(), moduleId).startsWith(beginning))
      return found === -1 ? LONG.length : found
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}
