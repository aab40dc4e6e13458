import { existsSync } from 'node:fs'
import { Trouble } from '../plan/outcome.ts'
import type { Doing } from '../plan/plan.ts'
import { quote } from './command.ts'
import { run } from './process.ts'
import { areLines, personAt, type SshOptions, sshOptions, typedLine } from './ssh-address.ts'
import { inFolder } from './ssh-folder.ts'

/** A connection that failed. */
type Failed = { readonly options: SshOptions; readonly folder: string; readonly doing: Doing }

/**
 * Why ssh could not connect, told by its own words: Trouble(3) for a host key that is not known or has changed, and for a key that is
 * not let in; Trouble(8), could not look, for anything else.
 */
export async function connectTrouble(failed: Failed, words: string): Promise<Trouble> {
  const { options } = failed
  const said = words.split(/\r?\n/).filter(Boolean).at(-1) ?? 'it says nothing'
  if (/REMOTE HOST IDENTIFICATION HAS CHANGED|host key for .* has changed/i.test(words)) return changedKey(options, words)
  if (/Host key verification failed|host key is known/.test(words)) return await unknownKey(failed)
  if (/Permission denied|Too many authentication failures|Load key/.test(words)) return await denied(failed, words)
  const look = [typedLine(options, 'true')]
  return new Trouble(8, `${personAt(options)} could not be reached: ${said}`, { look })
}

/** The host's name in a file of known hosts. */
const nameOf = ({ host, port }: SshOptions) => (port === undefined || port === 22 ? host : `[${host}]:${port}`)

/** What accepts a key: ssh itself adds a key that it does not know, and never changes one. */
function accepting(options: SshOptions): string {
  const { knownHosts } = options
  const scan = ['ssh-keyscan', ...(options.port === undefined ? [] : ['-p', String(options.port)]), options.host].map(quote).join(' ')
  if (knownHosts !== undefined && areLines(knownHosts)) return `${scan}   # and put the line with this key into the known hosts of the stack`
  const [ssh, ...rest] = [
    'ssh',
    '-o',
    'StrictHostKeyChecking=accept-new',
    ...(knownHosts === undefined ? [] : ['-o', `UserKnownHostsFile=${knownHosts}`]),
  ]
  return [ssh!, ...rest].map(quote).join(' ') + typedLine(options, 'true').slice('ssh'.length)
}

const comparing = (fingerprint: string) =>
  `compare ${fingerprint} with what the host says of itself: for f in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf "$f"; done`

async function unknownKey(failed: Failed): Promise<Trouble> {
  const { options } = failed
  const { kind, fingerprint } = await offeredKey(failed)
  return new Trouble(3, `The host key of ${nameOf(options)} is not known here: ${kind} ${fingerprint}`, {
    next: [comparing(fingerprint), `if it is the same: ${accepting(options)}`],
  })
}

function changedKey(options: SshOptions, words: string): Trouble {
  const fingerprint = /SHA256:[\w+/=]+/.exec(words)?.[0] ?? 'its fingerprint'
  const { knownHosts } = options
  const own = knownHosts !== undefined && areLines(knownHosts)
  const file = knownHosts === undefined ? '' : ` -f ${quote(knownHosts)}`
  const forget = own ? 'take the old key out of the known hosts of the stack' : `ssh-keygen${file} -R ${quote(nameOf(options))}`
  return new Trouble(3, `The host key of ${nameOf(options)} is another than the one that is known: ${fingerprint}. Somebody may sit in between.`, {
    next: [comparing(fingerprint), `only if it is the same: ${forget}`, `then: ${accepting(options)}`],
  })
}

/** The key that a host offers, as a talkative ssh tells it. */
async function offeredKey({ options, folder, doing }: Failed): Promise<{ kind: string; fingerprint: string }> {
  const argv = [...sshOptions(options, inFolder(folder)), '-o', 'LogLevel=DEBUG1', '-o', 'ControlPath=none', '--', personAt(options), 'true']
  // The first value of an option counts.
  const loud = ['-o', 'LogLevel=DEBUG1', ...argv]
  const { stderr } = await run({ file: 'ssh', argv: loud }, doing, { budgetMs: 20_000 })
  const [, kind = 'key', fingerprint = 'with an unknown fingerprint'] = /Server host key: (\S+) (SHA256:\S+)/.exec(stderr) ?? []
  return { kind, fingerprint }
}

async function denied({ options, folder, doing }: Failed, words: string): Promise<Trouble> {
  const { key, keyFile } = options
  const refused = (why: string, next: readonly string[]) => new Trouble(3, why, { next, look: [typedLine(options, 'true')] })
  if (keyFile !== undefined && !existsSync(keyFile))
    return refused(`The key ${keyFile} for ${personAt(options)} is not there`, ['name the file of its private key'])
  if (/UNPROTECTED PRIVATE KEY FILE|bad permissions/.test(words)) {
    return refused(`Others may read the key ${keyFile}, so ssh does not use it`, [`chmod 600 ${quote(keyFile ?? '')}`])
  }
  const file = key ? inFolder(folder).key : keyFile
  const known = file === undefined ? undefined : await run({ file: 'ssh-keygen', argv: ['-y', '-P', '', '-f', file] }, doing)
  if (known !== undefined && known.code !== 0) {
    const name = key?.name ?? keyFile
    return refused(`ssh cannot read the key ${name} for ${personAt(options)}: it has a passphrase, or is no private key`, [
      'give a private key without a passphrase, or load the key into ssh-agent and name none',
    ])
  }
  const next = known
    ? [`on ${options.host}, as ${options.user ?? 'that user'}: echo ${quote(known.stdout.trim())} >> ~/.ssh/authorized_keys`]
    : ['ssh-add -l   # is the right key loaded?', `ssh-copy-id ${typedLine(options).slice('ssh '.length)}`]
  return refused(`${personAt(options)} does not let this key in: ${words.split(/\r?\n/).filter(Boolean).at(-1)}`, next)
}
