import { clean } from '../show/text.ts'

/** HTML that is safe to put into a page; only `html` makes it. */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** What may stand in a template: anything but Html is text and is escaped. */
export type Part = Html | string | number | undefined | readonly Part[]

function safe(part: Part): string {
  if (part === undefined) return ''
  if (part instanceof Html) return part.text
  if (Array.isArray(part)) return part.map(safe).join('')
  return clean(String(part)).replace(/[&<>"']/g, found => ENTITIES[found] ?? found)
}

/** A template whose values are cleaned and escaped, in texts and in quoted attributes alike. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.reduce((text, string, i) => text + safe(parts[i - 1]) + string))
}
