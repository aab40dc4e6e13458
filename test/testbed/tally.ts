import { readFileSync } from 'node:fs'

type Report = {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly { readonly status: string }[]
  }[]
}

/** What vitest reported, as one line; `broken` names what else failed, each as one failure. */
export function tally(
  json: string | undefined,
  testExit: number,
  broken: readonly string[],
): { readonly line: string; readonly notes: readonly string[]; readonly exit: 0 | 1 } {
  const notes = broken.map(step => `failed: ${step}`)
  let passed = 0
  let failed = broken.length
  let skipped = 0
  const report = parsed(json)
  if (report === undefined) {
    failed++
    notes.push(`failed: vitest left no results (exit ${testExit})`)
  } else {
    // A file that does not load has no failed tests, and must still not pass.
    const unloaded = report.testResults.filter(file => file.status === 'failed' && file.assertionResults.every(({ status }) => status !== 'failed'))
    for (const file of unloaded) notes.push(`failed: ${file.name}: ${file.message.split('\n')[0]}`)
    passed = report.numPassedTests
    failed += report.numFailedTests + unloaded.length
    skipped = report.numPendingTests + report.numTodoTests
    if (passed + failed + skipped === 0) {
      failed++
      notes.push('failed: vitest ran no test')
    }
  }
  if (testExit !== 0 && failed === 0) {
    failed++
    notes.push(`failed: vitest ended with exit ${testExit} although no test failed: an unhandled error or a time limit`)
  }
  return { line: `${passed} passed, ${failed} failed, ${skipped} skipped`, notes, exit: failed === 0 ? 0 : 1 }
}

function parsed(json: string | undefined): Report | undefined {
  try {
    return JSON.parse(json ?? '') as Report
  } catch {
    return undefined
  }
}

if (import.meta.main) {
  const [file, testExit, ...broken] = process.argv.slice(2)
  const { line, notes, exit } = tally(readFileSync(file!, 'utf8'), Number(testExit), broken)
  process.stdout.write(`${[...notes, line].join('\n')}\n`)
  process.exitCode = exit
}
