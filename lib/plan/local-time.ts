/** Milliseconds since 1970 of a time as people of a zone write it, `2026-05-14 06:00`; undefined for other text. Of an hour that happens twice the first is meant. */
export function parseLocalTime(text: string, timezone: string): number | undefined {
  const found = /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{2}):(\d{2}))?$/.exec(text.trim())
  if (!found) return undefined
  const [year, month, day, hour, minute] = found.slice(1).map(part => Number(part ?? 0)) as [number, number, number, number, number]
  const wanted = Date.UTC(year, month - 1, day, hour, minute)
  const check = new Date(wanted)
  if (check.getUTCMonth() !== month - 1 || check.getUTCDate() !== day || hour > 23 || minute > 59) return undefined
  // A zone's offset is a day at most: the earliest moment that reads as this time.
  const moments = [wanted - offsetMs(wanted - 86_400_000, timezone), wanted - offsetMs(wanted + 86_400_000, timezone)].sort((a, b) => a - b)
  return moments.find(moment => moment + offsetMs(moment, timezone) === wanted) ?? moments[0]
}

/** How far a zone's clock is ahead of UTC at a moment, in milliseconds. */
function offsetMs(moment: number, timezone: string): number {
  const parts = new Intl.DateTimeFormat('en-CA', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).formatToParts(moment)
  const at = (type: string) => Number(parts.find(part => part.type === type)?.value)
  return Date.UTC(at('year'), at('month') - 1, at('day'), at('hour'), at('minute'), at('second')) - Math.floor(moment / 1000) * 1000
}
