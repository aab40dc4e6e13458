const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text of a name as the file system has it, or null when its bytes are not UTF-8: a tar made here could not give those bytes back. */
export function nameOf(bytes: Buffer): string | null {
  try {
    return UTF8.decode(bytes)
  } catch {
    return null
  }
}

/** A path on one line of a message: line breaks and control characters as escapes, bytes that are no UTF-8 as `\xNN`. */
export function shown(path: string | Buffer): string {
  const text =
    typeof path === 'string'
      ? path
      : (nameOf(path) ?? [...path].map(byte => (byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`)).join(''))
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
  return text.replace(/[\u0000-\u001f\u007f]/g, found => JSON.stringify(found).slice(1, -1))
}

/** The parts of a path inside an archive, `[]` for its root; null for one that leaves the root or cannot be a path. */
export function partsOf(name: string): readonly string[] | null {
  if (name.startsWith('/') || name.includes('\0')) return null
  const parts = name.split('/').filter(part => part !== '' && part !== '.')
  return parts.includes('..') ? null : parts
}
