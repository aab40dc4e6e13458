/** What a runtime's words on a failed pull mean: the image is not there, we may not have it, it is for other machines, or its registry is away. */
export type PullFault = 'missing' | 'denied' | 'wrong platform' | 'unreachable'

/** By the words of the runtime and of the registry; whatever is not known is a hiccup, which passes or not. */
export function pullFault(words: string): PullFault {
  if (/too ?many ?requests|\b429\b/i.test(words)) return 'unreachable'
  if (/unauthorized|access denied|access to the resource is denied|authentication required|no basic auth|forbidden|denied:/i.test(words))
    return 'denied'
  if (/no match for platform/i.test(words)) return 'wrong platform'
  if (/: not found|manifest unknown|no such manifest|name unknown|repository does not exist|not present with pull policy of Never/i.test(words))
    return 'missing'
  return 'unreachable'
}

/** The part of a runtime's words that tells something: the last of its many prefixes. */
export function pullWords(words: string): string {
  const last = /(?:failed to resolve reference "[^"]*"|failed to do request|rpc error: code = \w+ desc = [^:]*): (.*)$/s.exec(words)?.[1] ?? words
  return last.replace(/\s+/g, ' ').trim().slice(0, 300)
}
