/** Behind the word: a space, and the exit code in three digits. */
const BEHIND = 4

type Chunk = Buffer<ArrayBuffer>

/** Takes the seal off what comes. Each chunk is held back until the next has come, so that nothing is copied; `sealed` is the far end's exit code. */
export type Unsealing = { take(chunk: Chunk): Chunk[]; readonly sealed: number | undefined }

/** `onSeal` is called once, when everything has come. */
export function unsealing(word: string, onSeal: () => void): Unsealing {
  const length = Buffer.byteLength(word) + BEHIND
  let held: Chunk | undefined
  let sealed: number | undefined
  return {
    get sealed() {
      return sealed
    },
    take(chunk) {
      const [before, last] = held === undefined ? [[], chunk] : chunk.length >= length ? [[held], chunk] : cut(Buffer.concat([held, chunk]), length)
      held = last
      const seal = last.subarray(-length).toString('latin1')
      if (seal.length < length || !seal.startsWith(`${word} `)) return before
      sealed = Number(seal.slice(-3))
      held = undefined
      onSeal()
      const own = last.subarray(0, -length)
      return own.length > 0 ? [...before, own] : before
    },
  }
}

/** All but the last bytes, which may be a seal or the beginning of one; and those. */
function cut(bytes: Chunk, length: number): [Chunk[], Chunk] {
  return bytes.length > length ? [[bytes.subarray(0, -length)], bytes.subarray(-length)] : [[], bytes]
}
