import type { Db, MongoClient, MongoClientOptions } from 'mongodb'
import { cannotBeEntered, looksAt } from '../../exec/place.ts'
import { tunnel } from '../../exec/tunnel.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { redact, type Secret } from '../../plan/secrets.ts'
import type { Reach } from './site.ts'
import { hostOf, throughSocket } from './uri.ts'

/** How long a server may take to be found before it counts as unreachable; an operator waits for this at every question. */
const SELECTION_MS = 4_000
/** The same where docker has to start a process in a service first. */
const ENTER_MS = 15_000
/** How long one answer may take; counts of large collections come from metadata and are fast. */
const ANSWER_MS = 30_000

/** Codes of MongoDB's answers: Unauthorized, AuthenticationFailed, and Atlas's own for both. */
const DENIED = new Set([13, 18, 8000])

/** Opens a connection for one piece of work and closes it; throws what `troubleOf` makes of the driver's errors. */
export async function connected<T>(reach: Reach, doing: Doing, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const { uri, within } = reach
  if (!within) return withClient(uri, { serverSelectionTimeoutMS: SELECTION_MS, connectTimeoutMS: SELECTION_MS }, work)
  const way = await tunnel(within, hostOf(uri), doing)
  // Each connection is a docker of its own; the fewest are opened when the server is asked how it is instead of telling.
  const options = { serverSelectionTimeoutMS: ENTER_MS, connectTimeoutMS: ENTER_MS, serverMonitoringMode: 'poll', directConnection: true } as const
  let said: string | Trouble = ''
  const gone = way.failed.then(failure => {
    said = failure instanceof Trouble ? failure : redact(failure)
  })
  try {
    return await withClient(throughSocket(uri, way.path), options, work, gone)
  } catch (error) {
    doing.signal.throwIfAborted()
    if (said === '') throw error
    if (typeof said !== 'string') throw said
    const what = cannotBeEntered(said) ? 'cannot be entered' : 'leads to no MongoDB'
    throw new Trouble(8, `The service ${within.service} ${what}: ${said.trim().split('\n')[0]}`, { look: [looksAt(within)], cause: error })
  } finally {
    await way.close()
  }
}

/** `gone`: nobody will answer, so waiting for it is over. */
async function withClient<T>(uri: Secret, options: MongoClientOptions, work: (client: MongoClient) => Promise<T>, gone?: Promise<void>): Promise<T> {
  const { MongoClient } = await import('mongodb')
  let client: MongoClient | undefined
  try {
    client = new MongoClient(uri.reveal().trim(), { ...options, socketTimeoutMS: ANSWER_MS, appName: 'runbooks' })
    void gone?.then(() => client?.close())
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
export function listed(reach: Reach, database: string, doing: Doing): Promise<Listed[]> {
  return connected(reach, doing, client => collectionsOf(client.db(database)))
}
