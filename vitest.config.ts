import { defineConfig } from 'vitest/config'
import LongestFirst from './test/testbed/sequencer.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/matrix/**'],
    globalSetup: ['test/testbed/setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Files wait for servers more than they compute; on two cores a fourth would make timings unsteady.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
  },
})
