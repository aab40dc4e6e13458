import { textOf } from '../../plan/secrets.ts'
import type { Files } from './draft.ts'
import type { Site } from './site.ts'

/**
 * Puts a folder in place, whole or not at all: $1 the folder; on stdin lines of mode, a dot with base64, and name. Folders are for us alone from
 * `.runbooks` on, and so nothing inside is anybody's, whatever its own mode: containers that are not root must be able to read what is mounted.
 */
export const PLACE = `umask 077
mkdir -p -- "\${1%/*}" && chmod 700 "\${1%/*}" || exit 1
new="$1.new.$$"
trap 'rm -rf -- "$new"' EXIT
mkdir -- "$new" || exit 1
while read -r mode bytes name; do
case $name in */*) mkdir -p -- "$new/\${name%/*}" || exit 1 ;; esac
printf %s "\${bytes#.}" | base64 -d >"$new/$name" && chmod "$mode" "$new/$name" || exit 1
done
find "$new" -mindepth 1 -type d -exec chmod 755 {} + || exit 1
rm -rf -- "$1.old" && { [ ! -e "$1" ] || mv -- "$1" "$1.old"; } && mv -- "$new" "$1" || exit 1
rm -rf -- "$1.old"`

/** The input of PLACE: what is given to containers as files may be read by them, all else by us alone. */
export function placed(files: Files): string {
  const lines = Object.entries(files).map(([name, bytes]) => {
    const mode = name.startsWith('files/') || name.startsWith('secrets/') ? '444' : '600'
    return `${mode} .${bytes.toString('base64')} ${name}\n`
  })
  return lines.join('')
}

/** The secrets as files, as they are. */
export function secretFiles({ options }: Site): Files {
  return Object.fromEntries(Object.entries(options.secrets ?? {}).map(([name, value]) => [name, Buffer.from(textOf(value))]))
}
