/** The hour, day, ISO week, month and year of a moment, as names that are equal for moments of the same one. */
export type Buckets = { readonly hourly: string; readonly daily: string; readonly weekly: string; readonly monthly: string; readonly yearly: string }

const DAY_MS = 86_400_000

/** The ISO 8601 week of a calendar day: it belongs to the year that has its Thursday. */
function isoWeek(year: number, month: number, day: number): string {
  const date = Date.UTC(year, month - 1, day)
  const thursday = new Date(date + (4 - (new Date(date).getUTCDay() || 7)) * DAY_MS)
  const first = Date.UTC(thursday.getUTCFullYear(), 0, 1)
  return `${thursday.getUTCFullYear()}-W${Math.floor((thursday.getTime() - first) / (7 * DAY_MS)) + 1}`
}

/** Making one takes longer than formatting a hundred moments. */
const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(timezone: string): Intl.DateTimeFormat {
  const made =
    formats.get(timezone) ??
    new Intl.DateTimeFormat('en-CA', { timeZone: timezone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', hourCycle: 'h23' })
  formats.set(timezone, made)
  return made
}

/** Reads moments (milliseconds) by the calendar of a time zone. */
export function calendarOf(timezone: string): (ms: number) => Buckets {
  const format = formatOf(timezone)
  return ms => {
    const [year = '', month = '', day = '', hour = ''] = format.format(ms).split(/\D+/)
    return {
      hourly: `${year}-${month}-${day}T${hour}`,
      daily: `${year}-${month}-${day}`,
      weekly: isoWeek(Number(year), Number(month), Number(day)),
      monthly: `${year}-${month}`,
      yearly: year,
    }
  }
}
