import { randomBytes } from 'node:crypto'
import type { Way } from '../../exec/command.ts'
import { type Inside, SEALED, secretLines, WITH_INPUT } from '../../exec/place.ts'
import type { Command } from '../../exec/process.ts'
import { Trouble } from '../../plan/outcome.ts'
import { Secret } from '../../plan/secrets.ts'
import { type Site, workloadOf } from './site.ts'

/** A command inside a running service, without a terminal: bytes go both ways unchanged, and the exit code is its own. */
export function inside(site: Site, service: string, command: Command, how: Inside): Command {
  if (command.secret !== undefined) throw new RangeError('a descriptor does not reach into a pod; give the secret a name')
  const { kind, name } = workloadOf(site, service)
  const { count, text } = secretLines(how.secrets)
  const argv = ['exec', '-i', '--quiet', '--pod-running-timeout=5s', `${kind.toLowerCase()}/${name}`, '--']
  // kubectl may lose the end of an output, and exit 0 (kubernetes/kubernetes#124571).
  const seal = how.input ? undefined : randomBytes(16).toString('hex')
  const wrapped = ['sh', '-c', seal ? SEALED : WITH_INPUT, 'sh', count, ...(seal ? [seal] : []), ...environed(command)]
  const { typed } = site.kube.command([...argv, command.file, ...command.argv])
  const made = site.kube.command([...argv, ...wrapped], {
    preface: new Secret(`secrets for ${service}`, text),
    ...(typed ? { typed } : {}),
    ...(seal ? { seal } : {}),
  })
  return { ...made, ...(made.way ? { way: explained(made.way, service) } : {}) }
}

/** The way into a pod, which says so when it ends because the image has no shell. */
function explained(way: Way, service: string): Way {
  return {
    ...way,
    async open(doing) {
      const opened = await way.open(doing)
      return {
        ...opened,
        ended: async (end, stderr) =>
          end.code !== 0 && lacks('sh', stderr) ? bareImage(service, 'sh', 'a command inside a pod') : opened.ended(end, stderr),
      }
    },
  }
}

/** Whether a runtime says that an image has no such program. */
export const lacks = (program: string, words: string) =>
  new RegExp(`exec: "${program}": .*(executable file not found|no such file or directory)`, 's').test(words)

/** Trouble(3) that names what the image of a service lacks. */
export function bareImage(service: string, program: string, who: string): Trouble {
  return new Trouble(3, `The image of ${service} has no ${program}, which ${who} needs`, {
    next: [
      `put ${program} into the image of ${service}: BusyBox will do, beside a static binary too`,
      'or leave out of the stack file what runs inside it: in, smoke commands, migrations',
    ],
  })
}

/** Variables and folder, as words in front of a command. */
function environed({ env, cwd, file, argv }: Command): readonly string[] {
  const words = [file, ...argv]
  const variables = Object.entries(env ?? {}).map(([name, value]) => `${name}=${value}`)
  const set = variables.length > 0 ? ['env', ...variables, ...words] : words
  return cwd === undefined ? set : ['sh', '-c', 'cd -- "$1" && shift && exec "$@"', 'sh', cwd, ...set]
}
