/**
 * What a restore notes in a database's comment, in front of what a team wrote there: the comment belongs to the database itself,
 * so it lasts over a crash, moves with a renaming, and is seen by everybody who looks (`\\l+`).
 */
export type Marks = {
  /** The run that locked writers out. */
  readonly lock?: string | undefined
  /** The run that made this database live where none stood, so that there was nothing to put aside. */
  readonly instead?: string | undefined
  /** The team's own comment. */
  readonly own: string
}

/** The marks of a comment. */
export function marksOf(comment: string): Marks {
  const lock = /^\[locked by restore ([\w-]+)\] ?/.exec(comment)
  const rest = comment.slice(lock?.[0].length ?? 0)
  const instead = /^\[restored by ([\w-]+) where nothing stood\] ?/.exec(rest)
  return { lock: lock?.[1], instead: instead?.[1], own: rest.slice(instead?.[0].length ?? 0) }
}

/** The comment with these marks. */
export function withMarks({ lock, instead, own }: Marks): string {
  return `${lock ? `[locked by restore ${lock}] ` : ''}${instead ? `[restored by ${instead} where nothing stood] ` : ''}${own}`
}
