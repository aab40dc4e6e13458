import { Secret } from '../plan/secrets.ts'
import { type Command, prints, quote } from './command.ts'

/** A service of a Compose project; `file`, `project` and `directory` are `docker compose`'s own `-f`, `-p` and `--project-directory`. */
export type ComposeService = {
  readonly compose: { readonly project?: string | undefined; readonly file?: string | undefined; readonly directory?: string | undefined }
  readonly service: string
}

/** A service that its platform enters: over ssh, in a cluster, or wherever the platform is. */
export type PlatformService = {
  readonly service: string
  /** The platform and the service, as they are shown and compared. */
  readonly where: string
  /** As `inService`; throws nothing for a platform that cannot be entered: running the command does. */
  enter(command: Command, inside: Inside): Command
}

/** A service that commands run in. */
export type ServicePlace = ComposeService | PlatformService

/** What a command needs inside a service: variables with secret values, and whether it reads stdin. */
export type Inside = { readonly secrets?: Readonly<Record<string, Secret>>; readonly input: boolean }

/** Exit code of the wrapper when stdin ended before it had read the secrets. */
const SECRETS_CUT = 96

/** POSIX sh: reads `NAME LINES`, then that many lines of value, as often as the first argument says; the rest of stdin is left to the command. */
export const READ_SECRETS = `n=$1; shift
while [ "$n" -gt 0 ]; do
IFS=' ' read -r name lines || exit ${SECRETS_CUT}
value= sep=
while [ "$lines" -gt 0 ]; do
IFS= read -r line || exit ${SECRETS_CUT}
value=$value$sep$line sep='
' lines=$((lines-1))
done
export "$name=$value"
n=$((n-1))
done
unset n name lines line value sep`

/** The command takes what is left of stdin; when we are gone, its input ends. */
export const WITH_INPUT = `${READ_SECRETS}
exec "$@"`

/**
 * The command reads nothing; stdin stays open as long as we live, and its end ends the command, which docker itself would leave running.
 * Every process is waited for: one left over goes to the container's first process, and PostgreSQL, where it is that, takes
 * a stranger's end by a signal for the crash of one of its own, and ends all sessions.
 */
const LEASHED = `exec 3<&0
"$@" </dev/null 3<&- &
child=$!
{ trap 'exit 0' TERM; while read -r _; do :; done; kill "$child"; exit 0; } <&3 3<&- >/dev/null 2>&1 &
leash=$!
wait "$child"
code=$?
{ kill "$leash"; wait "$leash"; } 2>/dev/null`

/** The command reads nothing, and ends with us. */
export const WITHOUT_INPUT = `${READ_SECRETS}
${LEASHED}
exit "$code"`

/** As `WITHOUT_INPUT`; its output is sealed with the word that is the second argument, and it stays until we have seen the seal and close its stdin. */
export const SEALED = `${READ_SECRETS}
word=$1; shift
${LEASHED}
printf '%s %03d' "$word" "$code"
while read -r _; do :; done <&3
exit "$code"`

/**
 * A command that runs inside a service, without a terminal: bytes go both ways unchanged, and the exit code is its own.
 * Secrets go in as the first lines of stdin and become variables of that one process; the service needs nothing but a POSIX shell.
 * Throws RangeError for a name that is no variable in capitals.
 */
export function inService(place: ServicePlace, command: Command, inside: Inside): Command {
  if ('enter' in place) return place.enter(command, inside)
  if (command.secret !== undefined) throw new RangeError('a descriptor does not reach into a service; give the secret a name')
  const secrets = secretLines(inside.secrets)
  const exec = execArgv(place, command)
  return {
    file: 'docker',
    argv: [...exec, 'sh', '-c', inside.input ? WITH_INPUT : WITHOUT_INPUT, 'sh', secrets.count, command.file, ...command.argv],
    preface: new Secret(`secrets for ${place.service}`, secrets.text),
    typed: { file: 'docker', argv: [...exec, command.file, ...command.argv] },
  }
}

/** Where a service is, as it is shown and compared: `ecosyste/postgres`. */
export function placeName(place: ServicePlace): string {
  if ('enter' in place) return place.where
  const { compose, service } = place
  return `${compose.project ?? compose.directory ?? compose.file ?? 'compose'}/${service}`
}

/** What a person types to look at a service. */
export function looksAt(place: ServicePlace): string {
  if ('enter' in place) return prints(place.enter({ file: 'true', argv: [] }, { input: false }))
  return ['docker', ...composeArgv(place), 'ps', place.service].map(quote).join(' ')
}

const DOCKER_SAYS = /is not running|no such service|no configuration file provided|Cannot connect to the Docker daemon|No such container/i
const KUBECTL_SAYS =
  /^(?:Error from server\b|error: (?:unable to upgrade connection|timed out waiting|cannot exec into|You must be logged in|error executing)|The connection to the server \S+ was refused|Unable to connect to the server)/m

/** Whether docker's or kubectl's own words say that the service could not be entered; the programs inside say other things. */
export function cannotBeEntered(stderr: string): boolean {
  return DOCKER_SAYS.test(stderr) || KUBECTL_SAYS.test(stderr)
}

/** Secrets as `READ_SECRETS` reads them, and how many; throws RangeError for a name that is no variable in capitals. */
export function secretLines(secrets: Readonly<Record<string, Secret>> = {}): { readonly count: string; readonly text: string } {
  const all = Object.entries(secrets)
  const wrong = all.find(([name]) => !/^[A-Z_][A-Z0-9_]*$/.test(name))
  if (wrong) throw new RangeError(`${wrong[0]} is not the name of a variable`)
  const lines = (name: string, value: string) => `${name} ${value.split('\n').length}\n${value}\n`
  return { count: String(all.length), text: all.map(([name, secret]) => lines(name, secret.reveal())).join('') }
}

function composeArgv({ compose: { project, file, directory } }: ComposeService): string[] {
  return [
    'compose',
    ...(project === undefined ? [] : ['-p', project]),
    ...(file === undefined ? [] : ['-f', file]),
    ...(directory === undefined ? [] : ['--project-directory', directory]),
  ]
}

function execArgv(place: ComposeService, { env, cwd }: Command): string[] {
  const variables = Object.entries(env ?? {}).flatMap(([name, value]) => ['-e', `${name}=${value}`])
  return [...composeArgv(place), 'exec', '-T', ...variables, ...(cwd === undefined ? [] : ['-w', cwd]), place.service]
}
