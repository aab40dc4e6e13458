import { posix } from 'node:path'
import type { Doing } from '../plan/plan.ts'
import { CommandFailed } from './command.ts'
import type { Host } from './host.ts'

/** Somebody else changed a cell first. Stores are on a higher floor: who gives a cell to leases throws StoreError('conflict') instead. */
export class CellConflict extends Error {
  constructor(where: string, version: string) {
    super(`${where} was changed by somebody else since version ${version}`)
    this.name = 'CellConflict'
  }
}

/** The newest version of cell $2 in folder $1 as `newest`, 0 when there is none; the host's time in milliseconds as `now` prints it. */
const LOOK = `umask 077
mkdir -p -- "$1" && cd -- "$1" || exit 1
versions() { for file in "./.cell-$2."[0-9]*; do number=\${file##*.}; [ "$file" = "./.cell-$2.$number" ] || continue
case $number in *[!0-9]*|????????) continue ;; esac
echo "$number"; done; }
newest() { number=$(versions "$@" | sort | tail -n 1); echo "\${number:-000000000}"; }
now() { ms=$(date +%s%3N); case $ms in *[!0-9]*|??????????) ms=$(date +%s)000 ;; esac; echo "$ms"; }`

const READ = `${LOOK}
for _ in 1 2 3 4 5; do
newest=$(newest "$@")
if [ "$newest" = 000000000 ]; then echo "none 0 $(now)"; exit 0; fi
# Removed between the two: it was replaced long ago, and a newer one is there.
{ echo "found $newest $(now)"; cat <&3; exit 0; } 3<"./.cell-$2.$newest"
done 2>/dev/null
exit 1`

/**
 * Links the next number, which fails when it is taken. A replaced version stays for a minute, so that a writer that slept finds the number
 * of its own version taken; who slept longer misses its base, and takes its link back. The first stays: it guards against a second beginning.
 */
const WRITE = `${LOOK}
base=$3 next=$4 temporary=./.part-$5
trap 'rm -f -- "$temporary"' EXIT
trap 'exit 143' TERM
cat >"$temporary" || exit 1
if [ "$(wc -c <"$temporary")" -ne "$6" ]; then echo "the bytes did not arrive whole" >&2; exit 1; fi
sync "$temporary" 2>/dev/null
[ "$(newest "$@")" = "$base" ] || { echo conflict; exit 0; }
said=$(ln -- "$temporary" "./.cell-$2.$next" 2>&1) || { [ -e "./.cell-$2.$next" ] && { echo conflict; exit 0; }; echo "$said" >&2; exit 1; }
[ "$base" = 000000000 ] || [ -e "./.cell-$2.$base" ] || { rm -f -- "./.cell-$2.$next"; echo conflict; exit 0; }
sync . 2>/dev/null
echo "written $(now)"
versions "$@" | sort | while read -r number; do
[ "$number" != 000000001 ] || continue
[ "$number" -lt "$base" ] && [ -n "$(find "./.cell-$2.$number" -mmin +1 2>/dev/null)" ] || break
rm -f -- "./.cell-$2.$number"
done
exit 0`

/** What a cell's calls run under unless told otherwise: leases are renewed and let go of also while a run is being stopped. */
const always = (): Doing => ({ run: 'lease', signal: new AbortController().signal, progress() {}, spawned() {} })

const padded = (number: number) => String(number).padStart(9, '0')

/**
 * A small document on a host that changes by compare-and-swap; `path` is absolute, and its folder is made (0700). It is kept as
 * `.cell-<name>.<number>` beside it, and its time is the host's. Throws CellConflict when somebody else was faster, otherwise what
 * running a command on the host throws.
 */
export function hostCell(host: Host, path: string, doing: Doing = always()) {
  const where = host.where === 'here' ? path : `${host.where}${path}`
  const [folder, name] = [posix.dirname(path), posix.basename(path)]
  const call = async (script: string, args: readonly string[], input?: string): Promise<string> => {
    const { code, signal, stdout, stderr } = await host.script(script, [folder, name, ...args], doing, input)
    if (code !== 0) throw new CommandFailed(`${where} cannot be used: ${stderr || signal || `exit ${code}`}`, code, signal, stderr)
    return stdout
  }
  return {
    where,
    async read(): Promise<{ readonly body: string | null; readonly version: string; readonly nowMs: number }> {
      const said = await call(READ, [])
      const end = said.indexOf('\n')
      const [found, version, now] = said.slice(0, end).split(' ')
      return { body: found === 'found' ? said.slice(end + 1) : null, version: String(Number(version)), nowMs: Number(now) }
    },
    async write(body: string, version: string): Promise<{ readonly version: string; readonly nowMs: number }> {
      const base = Number(version)
      const size = String(Buffer.byteLength(body))
      const [word, now] = (await call(WRITE, [padded(base), padded(base + 1), crypto.randomUUID(), size], body)).trim().split(' ')
      if (word !== 'written') throw new CellConflict(where, version)
      return { version: String(base + 1), nowMs: Number(now) }
    },
  }
}
