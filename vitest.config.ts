import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/matrix/**'],
    globalSetup: ['test/testbed/setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Two cores, and each file may start processes of its own.
    maxWorkers: 2,
  },
})
