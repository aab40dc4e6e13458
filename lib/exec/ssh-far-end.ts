import { quote } from './command.ts'
import { READ_SECRETS } from './place.ts'

/** Last line on stderr when a command itself exited 255, which is also what ssh exits with for a failure of its own. */
export const OWN_255 = 'the command itself exited 255'

/** Last line on stderr, with exit 127, when there is no such program on the host. */
export const NO_PROGRAM = 'runbooks: this host has no such program'

/** Last line on stderr, with exit 97, when the command's folder is not there. */
export const NO_FOLDER = 'runbooks: this host has no such folder'

/** What the far end says when it is there. */
export const READY = 'runbooks-ready'

/** Between two signs of life from us, in milliseconds. */
export const BEAT_MS = 5_000

/** Seconds without a sign of life after which the far end cuts the connection: half of the silence that a lease allows. */
const SILENCE_S = 30

/**
 * What runs on a host for as long as we are connected. Each line of stdin is a sign of life; at its end, or after a silence, it ends the
 * connection's own sshd process, and with it whatever runs there on our behalf. A line that is cut without a word (a router that died)
 * would otherwise stay open on the host's side for hours.
 */
const WARDEN = `timer=
echo ${READY}
while IFS= read -r _; do
{ sleep ${SILENCE_S} & nap=$!; trap 'kill "$nap"; exit' TERM; wait "$nap" && kill "$PPID"; } >/dev/null 2>&1 &
next=$!
[ -z "$timer" ] || kill "$timer" 2>/dev/null
timer=$next
done
[ -z "$timer" ] || kill "$timer" 2>/dev/null
kill "$PPID"`

/**
 * Ends a command with everything that it started, SIGTERM first; POSIX sh. Not to be stopped halfway: the shell that waits for the command
 * waits for this too.
 */
const END = `end() {
trap '' TERM
kill -s TERM -- "-$rb_child" || kill -s TERM "$rb_child"
for _ in 1 2 3 4 5; do
kill -s 0 -- "-$rb_child" || kill -s 0 "$rb_child" || exit 0
sleep 1
done
kill -s KILL -- "-$rb_child" || kill -s KILL "$rb_child"
exit 0
}`

/**
 * Around each command; POSIX sh. First from stdin: the run's id, the command's mark, its secrets. Then its arguments: whether it reads
 * stdin, how many variables, these, a folder or nothing, the command.
 *
 * sshd lets a command run on when its connection goes, so it is watched. Without input, the end of stdin is the sign. With input, that
 * may be an end of the input only: the signs are that the connection's sshd process (our parent) is gone, or that nobody reads our
 * output any more, which GNU tail tells by ending (where
 * there is another tail, a command that was stopped here and reads nothing runs on until the connection goes). The command gets a process group of its own where there is setsid.
 * The shell itself must outlive a broken pipe, where it may say that something was terminated: it still has its watchers to end.
 * Names begin with `rb_`, so that no variable of the command is meant.
 */
const AROUND = `IFS= read -r RUNBOOKS_RUN && IFS= read -r RUNBOOKS_MARK || exit 96
export RUNBOOKS_RUN RUNBOOKS_MARK
${READ_SECRETS}
rb_input=$1 rb_n=$2; shift 2
while [ "$rb_n" -gt 0 ]; do export "$1"; shift; rb_n=$((rb_n-1)); done
if [ -n "$1" ]; then cd -- "$1" || { echo '${NO_FOLDER}' >&2; exit 97; }; fi
shift
command -v "$1" >/dev/null 2>&1 || { echo '${NO_PROGRAM}' >&2; exit 127; }
${END}
rb_group=
if command -v setsid >/dev/null 2>&1; then rb_group='setsid --'; fi
exec 3<&0 </dev/null
rb_signs=
if [ "$rb_input" = input ]; then
$rb_group "$@" <&3 3<&- &
rb_child=$!
exec 3<&-
rb_reader=$$
if command -v tail >/dev/null 2>&1; then tail -f /dev/null 2>/dev/null & rb_reader=$! rb_signs=$!; fi
{ while kill -s 0 "$PPID" && kill -s 0 "$rb_reader"; do sleep 1; done; end; } >/dev/null 2>&1 &
else
$rb_group "$@" </dev/null 3<&- &
rb_child=$!
{ while read -r _; do :; done; end; } <&3 3<&- >/dev/null 2>&1 &
exec 3<&-
fi
rb_signs="$rb_signs $!"
trap '' PIPE
wait "$rb_child"
rb_code=$?
{ [ "$rb_code" = 0 ] || kill -s TERM -- "-$rb_child"; kill $rb_signs; wait $rb_signs; } 2>/dev/null
[ "$rb_code" != 255 ] || echo '${OWN_255}' >&2
exit "$rb_code"`

/** Longest line that a host can be sent, in bytes: Linux takes no longer argument (MAX_ARG_STRLEN of 32 pages), and sshd hands it on as one. */
const LONGEST = 131_000

/** What is sent to a login shell; `exec`, so that the parent of what runs is the connection's own sshd process. */
function line(words: readonly string[]): string {
  const text = `exec ${words.map(quote).join(' ')}`
  if (Buffer.byteLength(text) > LONGEST) throw new RangeError(`a command for another host is limited to ${LONGEST} bytes; send the rest as its input`)
  return text
}

/** The line that keeps a connection. */
export const wardenLine = (): string => line(['sh', '-c', WARDEN])

/** What runs on a host: a command with what surrounds it. */
export type FarCommand = {
  readonly file: string
  readonly argv: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** The line that runs a command; throws RangeError when it is too long or a variable's name is none. */
export function commandLine({ file, argv, env = {}, cwd = '' }: FarCommand, input: boolean, secrets: string): string {
  const wrong = Object.keys(env).find(name => !/^[A-Za-z_]\w*$/.test(name))
  if (wrong !== undefined) throw new RangeError(`${wrong} is not the name of a variable`)
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const words = [secrets, input ? 'input' : 'none', String(variables.length), ...variables, cwd, file, ...argv]
  return line(['sh', '-c', AROUND, 'sh', ...words])
}
