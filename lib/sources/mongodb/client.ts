import type { Db, MongoClient } from 'mongodb'
import { Trouble } from '../../plan/outcome.ts'
import { redact, type Secret } from '../../plan/secrets.ts'

/** How long a server may take to be found before it counts as unreachable; an operator waits for this at every question. */
const SELECTION_MS = 4_000
/** How long one answer may take; counts of large collections come from metadata and are fast. */
const ANSWER_MS = 30_000

/** Codes of MongoDB's answers: Unauthorized, AuthenticationFailed, and Atlas's own for both. */
const DENIED = new Set([13, 18, 8000])

/** Opens a connection for one piece of work and closes it; throws what `troubleOf` makes of the driver's errors. */
export async function connected<T>(uri: Secret, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const { MongoClient } = await import('mongodb')
  let client: MongoClient | undefined
  try {
    client = new MongoClient(uri.reveal().trim(), {
      serverSelectionTimeoutMS: SELECTION_MS,
      connectTimeoutMS: SELECTION_MS,
      socketTimeoutMS: ANSWER_MS,
      appName: 'runbooks',
    })
    return await work(client)
  } catch (error) {
    throw troubleOf(error, uri)
  } finally {
    await client?.close()
  }
}

/** The driver's error as a foreseen one: unreachable is Trouble(8), denied Trouble(3), a wrong address Trouble(2), any other answer Trouble(4). */
function troubleOf(error: unknown, uri: Secret): unknown {
  if (!(error instanceof Error) || error instanceof Trouble) return error
  const said = redact(error.message)
  const { code } = error as { code?: unknown }
  if (/^Mongo(Parse|InvalidArgument|API|MissingCredentials)Error$/.test(error.name) || error.name === 'URIError') {
    return new Trouble(2, `${uri.name} is not a MongoDB address: ${said}`, { cause: error })
  }
  if (/^Mongo(ServerSelection|Network|NetworkTimeout|OperationTimeout)Error$/.test(error.name)) {
    return new Trouble(8, `MongoDB does not answer: ${said}`, { cause: error })
  }
  if (typeof code === 'number' && DENIED.has(code)) {
    return new Trouble(3, `MongoDB refuses the user or password of ${uri.name}: ${said}`, { next: [`correct ${uri.name}`], cause: error })
  }
  if (error.name.startsWith('Mongo')) return new Trouble(4, `MongoDB refused: ${said}`, { cause: error })
  return error
}

/** A collection as the server lists it. */
export type Listed = { readonly name: string; readonly type: string }

/** Every collection, view and time series of a database, sorted; none for a database that does not exist. */
export async function collectionsOf(db: Db): Promise<Listed[]> {
  const all = await db.listCollections({}, { nameOnly: true }).toArray()
  return all.map(({ name, type }) => ({ name, type: type ?? 'collection' })).sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The names of a database's collections, for one look. */
export function listed(uri: Secret, database: string): Promise<Listed[]> {
  return connected(uri, client => collectionsOf(client.db(database)))
}
