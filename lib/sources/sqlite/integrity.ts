import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'

// A worker of its own, because a check of a large database would stop every timer of the program.
const database = new DatabaseSync(Object.assign(pathToFileURL(String(workerData)), { search: '?mode=ro&immutable=1' }), { readOnly: true })
try {
  parentPort?.postMessage(
    database
      .prepare('PRAGMA integrity_check(5)')
      .all()
      .map(row => String(row.integrity_check)),
  )
} catch (error) {
  parentPort?.postMessage([(error as Error).message])
} finally {
  database.close()
}
