/** What Azure cannot hold in a name or turns into something else: backslashes become slashes, dots at the end of a folder's name go away, and XML has no control characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const UNSAFE = /[%\\\u0000-\u001f\u007f-\u009f\ufffe\uffff]|\.(?=\.*(?:\/|$))/gu

/** The blob's name for a path: the path itself, with what is unsafe written as in addresses (%5C). */
export const nameOf = (path: string): string => path.replace(UNSAFE, found => encodeURIComponent(found).replace('.', '%2E'))

/** The path of a blob's name; a name that somebody else made may not be one of ours and stays what it is. */
export function pathOf(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
