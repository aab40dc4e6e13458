/** Starts of the names that stores keep for themselves; no object may be called so, and no listing shows them. */
export const TEMPORARY = '.tmp-'
export const CELL = '.cell-'
export const PROBE = '.probe-'

/** Longest key of S3 and longest file name of the usual filesystems, in bytes. */
const LONGEST_PATH = 1024
const LONGEST_NAME = 255

/** The path itself when it is a usable object path; throws RangeError (a defect of the caller) for absolute, climbing, empty or reserved ones. */
export function checkPath(path: string): string {
  const names = path.split('/')
  const wrong = names.some(name => name === '' || name === '.' || name === '..' || name.includes('\0') || Buffer.byteLength(name) > LONGEST_NAME)
  if (wrong || Buffer.byteLength(path) > LONGEST_PATH) throw new RangeError(`${JSON.stringify(path)} cannot be the path of an object`)
  if (reserved(path)) throw new RangeError(`${JSON.stringify(path)} begins with a name that stores keep for themselves`)
  return path
}

/** Whether the last name of a path is one of the store's own. */
export function reserved(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return [TEMPORARY, CELL, PROBE].some(start => name.startsWith(start))
}

/** The same folder, another file name: where a cell or a temporary stands beside what it belongs to. */
export function renamed(path: string, rename: (name: string) => string): string {
  const slash = path.lastIndexOf('/') + 1
  return path.slice(0, slash) + rename(path.slice(slash))
}

/** Order of listings: by code unit, the same on every machine and locale. */
export function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0
}
