import { stripVTControlCharacters } from 'node:util'
import { redact } from '../../plan/secrets.ts'

/** Control characters, and the marks that reverse the direction of what follows; a terminal obeys both. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out.
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** Text of others made safe to print: no secrets, no escape sequences, no control characters; line ends stay. */
export function clean(text: string): string {
  return redact(stripVTControlCharacters(text)).replaceAll('\r\n', '\n').replaceAll('\r', '\n').replaceAll('\t', '  ').replace(OBEYED, '')
}

/** Cleaned text on one line, as logs and last lines need it. */
export function oneLine(text: string): string {
  return clean(text)
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
    .join(' | ')
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })
const WIDE =
  /\p{Emoji_Presentation}|\p{Script=Han}|\p{Script=Hangul}|\p{Script=Hiragana}|\p{Script=Katakana}|[\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]/u

/** Columns that a text takes on a terminal; colours take none, East Asian letters and emoji two. */
export function widthIn(text: string): number {
  const shown = stripVTControlCharacters(text)
  if (/^[\x20-\x7e]*$/.test(shown)) return shown.length
  return [...graphemes.segment(shown)].reduce((sum, { segment }) => sum + (WIDE.test(segment) ? 2 : 1), 0)
}

/** A text filled with spaces up to `width` columns; longer text stays whole. */
export function pad(text: string, width: number, side: 'left' | 'right' = 'left'): string {
  const gap = ' '.repeat(Math.max(0, width - widthIn(text)))
  return side === 'left' ? text + gap : gap + text
}

/** A text cut to `width` columns, its end marked with `…`; for redrawn lines only, where a lost end comes back. */
export function shorten(text: string, width: number): string {
  if (widthIn(text) <= width) return text
  let kept = ''
  for (const { segment } of graphemes.segment(text)) {
    if (widthIn(kept + segment) > width - 1) break
    kept += segment
  }
  return `${kept.trimEnd()}…`
}

/** A word longer than a line, in pieces that fit. */
function pieces(word: string, width: number): string[] {
  if (widthIn(word) <= width) return [word]
  const all = ['']
  for (const { segment } of graphemes.segment(word)) {
    const last = all.length - 1
    if (widthIn(all[last] + segment) > width) all.push(segment)
    else all[last] += segment
  }
  return all
}

/** A text as lines of at most `width` columns, broken between words, and inside a word only when it is longer than a line. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap(line => {
    if (widthIn(line) <= width) return [line.trimEnd()]
    const indent = /^ */.exec(line)?.[0] ?? ''
    const lines: string[] = []
    let now = ''
    for (const piece of line
      .trim()
      .split(/ +/)
      .flatMap(word => pieces(word, width - indent.length))) {
      if (now !== '' && widthIn(`${now} ${piece}`) > width - indent.length) {
        lines.push(indent + now)
        now = piece
      } else now = now === '' ? piece : `${now} ${piece}`
    }
    return [...lines, now === '' ? '' : indent + now]
  })
}

/** A label with lines hanging under its text: `Why     the disk` … */
export function hanging(label: string, lines: readonly string[], column: number): string[] {
  return lines.map((line, i) => `${pad(i === 0 ? label : '', column)}${line}`.trimEnd())
}

/** Hours, minutes and seconds of a time in a zone: `03:23:06`. */
export function clock(iso: string, timezone: string): string {
  return new Date(iso).toLocaleTimeString('en-GB', { timeZone: timezone, hour12: false })
}
