/** Decompresses LZF (liblzf, as Redis stores strings of more than 20 bytes); throws RangeError unless exactly `length` bytes come out. */
export function unlzf(packed: Buffer, length: number): Buffer {
  const plain = Buffer.allocUnsafe(length)
  let from = 0
  let to = 0
  while (from < packed.length) {
    const control = packed[from++]!
    if (control < 32) {
      const count = control + 1
      if (from + count > packed.length || to + count > length) throw new RangeError('a compressed string is broken')
      packed.copy(plain, to, from, from + count)
      from += count
      to += count
      continue
    }
    const long = control >> 5 === 7
    const count = (long ? 7 + (packed[from++] ?? Number.NaN) : control >> 5) + 2
    let back = to - ((control & 31) << 8) - (packed[from++] ?? Number.NaN) - 1
    if (!(back >= 0 && to + count <= length)) throw new RangeError('a compressed string is broken')
    // Byte by byte: the piece may overlap what it makes.
    for (let left = count; left > 0; left--) plain[to++] = plain[back++]!
  }
  if (to !== length) throw new RangeError('a compressed string is broken')
  return plain
}
