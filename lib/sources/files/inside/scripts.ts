// Scripts for the shell of a service: POSIX, with tar, find and stat as GNU and BusyBox have them. Paths are arguments, never part of a script.

/** Exit codes by which the scripts say what they met; none of them is one of the programs'. */
export const MET = { missing: 66, closed: 67, nothingBeside: 71, stray: 73, mount: 74, taken: 75 } as const

/** There under that name, links not followed; a folder around it that may not be searched is no answer. */
const THERE = `there() {
  around=\${1%/*}
  if [ -d "$around" ] && [ ! -x "$around" ]; then echo "may not look into $around" >&2; exit ${MET.closed}; fi
  [ -e "$1" ] || [ -L "$1" ]
}`

/** Prints 1 or 0 for each path. */
export const PRESENCE = `${THERE}
for path; do if there "$path"; then printf 1; else printf 0; fi; done`

/** What stands at a path, which tar there is, and of each thing below its raw mode, size and time. */
export const LOOK = `${THERE}
if ! there "$1"; then echo missing; exit; fi
if [ -L "$1" ]; then echo link; exit; fi
if [ ! -d "$1" ]; then echo other; exit; fi
echo folder
set -- "$1" "$(tar --version 2>/dev/null)"
echo "\${2%%
*}"
find "$1" \\( -type f -o -type d -o -type l \\) -exec stat -c '%f %s %Y' {} +`

/** A folder as a tar. GNU's makes files of hard links; BusyBox's cannot. */
export const PACK = `${THERE}
there "$1" || exit ${MET.missing}
case $(tar --version 2>&1) in *GNU*) exec tar --hard-dereference -c -f - -C "$1" . ;; esac
exec tar -c -f - -C "$1" .`

/** A tar into a new folder: its root, the scratch folder or nothing, the live folder. A mount point is found before anything is loaded rather than at the swap. */
export const UNPACK = `root=$1 scratch=$2 live=$3
if [ -n "$scratch" ]; then mkdir -p -m 700 "$scratch" || exit 1
elif [ -d "$live" ] && [ "$(stat -c %d "$live")" != "$(stat -c %d "\${live%/*}/")" ]; then exit ${MET.mount}; fi
if [ -e "$root" ]; then exit ${MET.taken}; fi
mkdir -m 700 "$root" || exit 1
exec tar -x -p -f - -C "$root"`

/** A tar of folders alone, over folders that are there: it sets their modes and times, which what was made in them has changed. */
export const FINISH = `tar -x -p -f - -C "$1" && sync`

/** Modes of folders, in octal, and path, each ended by a zero byte; BusyBox's tar leaves out what a folder hands on (setgid). */
export const MODES = `cd "$1" && xargs -0 -n 2 sh -c 'chmod "$0" "./$1"' && sync`

/** Times of symbolic links, as `seconds` and path, each ended by a zero byte; GNU's tar has set them already, BusyBox's does not. */
export const DATE_LINKS = `case $(tar --version 2>&1) in *GNU*) cat >/dev/null; exit ;; esac
cd "$1" && exec xargs -0 -n 2 sh -c 'touch -h -d "@$0" "./$1"'`

/** Live goes aside and what is beside becomes live: live, beside, aside, nothing. Can be run again after a crash at any point. */
export const SWAP = `${THERE}
live=$1 beside=$2 aside=$3 nothing=$4 begun=
if there "$aside" || there "$nothing"; then begun=yes; fi
if ! there "$beside"; then
  if [ -n "$begun" ] && there "$live"; then exit 0; fi
  exit ${MET.nothingBeside}
fi
if [ -z "$begun" ]; then
  if there "$live"; then mv "$live" "$aside" || exit 1; else : > "$nothing" || exit 1; fi
  sync
fi
if there "$live"; then exit ${MET.stray}; fi
mv "$beside" "$live" || exit 1
sync`

/** The reverse; does nothing when no swap stands. */
export const SWAP_BACK = `${THERE}
live=$1 beside=$2 aside=$3 nothing=$4 had=
if there "$aside"; then had=yes; elif ! there "$nothing"; then exit 0; fi
if there "$live"; then
  if there "$beside"; then
    if [ -n "$had" ]; then exit ${MET.stray}; fi
  else
    mv "$live" "$beside" || exit 1
    sync
  fi
fi
if [ -n "$had" ]; then mv "$aside" "$live" || exit 1; fi
rm -f "$nothing"
sync`

/** Removes trees, and then folders that are empty: trees, `--`, folders. Only root may empty a folder that is closed to its owner. */
export const REMOVE = `while [ "$1" != -- ]; do
  rm -rf "$1" 2>/dev/null || { chmod -R u+rwx "$1" 2>/dev/null; rm -rf "$1"; } || exit 1
  shift
done
shift
for path; do rmdir "$path" 2>/dev/null; done
exit 0`

/** The names of everything that begins with one of the paths, each ended by a zero byte. */
export const NAMES = `for path; do
  for found in "$path"*; do if [ -e "$found" ] || [ -L "$found" ]; then printf '%s\\0' "\${found##*/}"; fi; done
done`
