/** A duration as a person types it: `'5min'`, `'6h'`, `'30d'`. */
export type Duration = `${number}${'ms' | 's' | 'min' | 'h' | 'd'}`

const UNITS = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Milliseconds of a typed duration; undefined when the text is none. */
export function parseDuration(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)(ms|s|min|h|d)$/.exec(text.trim())
  return found ? Number(found[1]) * UNITS[found[2] as keyof typeof UNITS] : undefined
}

/** Milliseconds of a duration that the types have checked; throws RangeError on other text. */
export function ms(duration: Duration): number {
  const value = parseDuration(duration)
  if (value === undefined) throw new RangeError(`${duration} is not a duration; write 30s, 5min, 6h or 30d`)
  return value
}

/** Time taken, for people: `0.3 s`, `12 s`, `3 min 02 s`, `3 h 12 min`, `9 d 4 h`. */
export function spent(milliseconds: number): string {
  if (milliseconds < 9_950) return `${(milliseconds / 1000).toFixed(1)} s`
  const seconds = Math.round(milliseconds / 1000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`
}

/** Bytes for people, in powers of 1000 as stores bill them: `812 B`, `4.1 GB`. */
export function size(bytes: number): string {
  const names = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < names.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${names[unit]}`
}

const SIZES = { B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 } as const

/** Bytes of a typed size, `200MB`, in powers of 1000; undefined when the text is none. */
export function parseSize(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)\s*(B|kB|KB|MB|GB|TB)$/.exec(text.trim())
  return found ? Number(found[1]) * SIZES[found[2] as keyof typeof SIZES] : undefined
}

/** A count with its thousands set apart: `1,303`. */
export function count(n: number): string {
  return n.toLocaleString('en-US')
}

/** A count with its noun: `1 file`, `3 files`. */
export function plural(n: number, noun: string, many = `${noun}s`): string {
  return `${count(n)} ${n === 1 ? noun : many}`
}
