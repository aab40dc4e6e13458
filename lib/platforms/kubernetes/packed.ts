import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'

/** Plain JSON as the data of a Secret has it: compressed, because a Secret holds little. */
export const packed = async (value: unknown): Promise<Buffer> => promisify(gzip)(JSON.stringify(value))

/** The same again, from the base64 that a Secret gives. */
export const unpacked = async <T>(base64: string): Promise<T> =>
  JSON.parse((await promisify(gunzip)(Buffer.from(base64, 'base64'))).toString('utf8')) as T
