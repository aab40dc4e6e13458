import { databasesOnAzure } from '../runbooks/live-servers.ts'
import { killedEverywhere } from './servers.ts'

/** PostgreSQL and Redis in one recovery point on Azure. */
export default killedEverywhere(databasesOnAzure)
