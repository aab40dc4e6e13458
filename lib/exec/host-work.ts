import { posix } from 'node:path'
import { Trouble } from '../plan/outcome.ts'
import type { Doing } from '../plan/plan.ts'
import { redact } from '../plan/secrets.ts'
import { type Command, CommandFailed, quote } from './command.ts'
import type { Host, InHost } from './host.ts'
import { run } from './process.ts'

/** Writes stdin to a file: folder, temporary name, name, mode, bytes. Whoever reads the file sees the old one or all of the new one. */
const WRITE = `umask 077
mkdir -p -- "$1" && cd -- "$1" || exit 1
if [ -d "./$3" ]; then echo "$1/$3 is a folder" >&2; exit 1; fi
trap 'rm -f -- "./$2"' EXIT
trap 'exit 143' TERM
cat >"./$2" || exit 1
if [ "$(wc -c <"./$2")" -ne "$5" ]; then echo "the bytes did not arrive whole" >&2; exit 1; fi
chmod "$4" "./$2" || exit 1
sync "./$2" 2>/dev/null
mv -f -- "./$2" "./$3" || exit 1
sync . 2>/dev/null
exit 0`

/** Lists the processes of run $1, a line each: its number, its group, its words with \\001 between them and \\002 for line breaks. Exit 8 without /proc. */
const LIST = `[ -r /proc/self/stat ] || exit 8
list() {
for place in $(grep -lszxF "RUNBOOKS_RUN=$1" /proc/[0-9]*/environ 2>/dev/null); do
pid=\${place#/proc/} pid=\${pid%/environ}
stat=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
set -- "$1" \${stat##*) }
case $2 in Z|X) continue ;; esac
printf '%s %s ' "$pid" "$4"
tr '\\000\\n' '\\001\\002' <"/proc/$pid/cmdline" 2>/dev/null
echo
done
}`

/** Ends them: SIGTERM for five seconds, then SIGKILL for as long; says who is left. */
const END = `${LIST}
for signal in TERM KILL; do
for _ in 1 2 3 4 5; do
left=$(list "$1")
[ -n "$left" ] || exit 0
echo "$left" | while read -r pid group _; do kill -s "$signal" "$pid" 2>/dev/null; kill -s "$signal" -- "-$group" 2>/dev/null; done
sleep 0.2 2>/dev/null
[ -n "$(list "$1")" ] || exit 0
sleep 1
done
done
list "$1"`

/** What a host can do once it can run a command; the rest is its own. */
export function hostFrom(
  where: string,
  on: (command: Command, inside?: InHost) => Command,
): Pick<Host, 'where' | 'on' | 'write' | 'script' | 'survivors' | 'endSurvivors'> {
  const script = (text: string, args: readonly string[], doing: Doing, input?: string) => {
    const command = on({ file: 'sh', argv: ['-c', text, 'sh', ...args] }, { input: input !== undefined })
    return run(command, doing, input === undefined ? {} : { input })
  }
  /** Under a run of its own, so that it does not find itself. */
  const about = (text: string, of: string, doing: Doing) => script(text, [of], { ...doing, run: `${doing.run}.look` })
  return {
    where,
    on,
    script,
    async write(path, bytes, mode, doing) {
      if (!path.startsWith('/') || path.endsWith('/')) throw new RangeError(`${path} is not the absolute path of a file`)
      const text = typeof bytes === 'string' ? bytes : bytes.reveal()
      const name = posix.basename(path)
      const temporary = `.${crypto.randomUUID()}.part`
      const size = String(Buffer.byteLength(text))
      const { code, signal, stderr } = await script(WRITE, [posix.dirname(path), temporary, name, mode.toString(8), size], doing, text)
      if (code !== 0) throw new CommandFailed(`${path} could not be written (${where}): ${stderr || signal || `exit ${code}`}`, code, signal, stderr)
    },
    async survivors(of, doing) {
      return listed(await about(`${LIST}\nlist "$1"`, of, doing), of, where)
    },
    async endSurvivors(of, doing) {
      const left = listed(await about(END, of, doing), of, where)
      if (left.length === 0) return
      throw new Trouble(5, `could not end ${left.map(one => `${one.prints} (process ${one.pid})`).join(', ')} of run ${of} (${where})`, {
        next: left.map(one => `there: sudo kill -9 ${one.pid}`),
      })
    },
  }
}

function listed({ code, stdout, stderr }: { code: number | null; stdout: string; stderr: string }, of: string, where: string) {
  if (code !== 0) {
    const why = code === 8 ? 'there is no /proc' : stderr
    throw new Trouble(8, `cannot look for processes that run ${of} left behind (${where}): ${why}`, { look: ['ps -ef'] })
  }
  return stdout
    .split('\n')
    .filter(Boolean)
    .map(line => {
      const [, pid = '', words = ''] = /^(\d+) \d+ (.*)$/.exec(line) ?? []
      const prints = words
        .split('\u0001')
        .slice(0, -1)
        .map(word => quote(word.replaceAll('\u0002', '\n')))
        .join(' ')
      return { pid: Number(pid), prints: redact(prints) }
    })
}
