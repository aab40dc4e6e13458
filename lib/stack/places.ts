import type { RefinementCtx } from 'zod'
import type { PlatformService } from '../exec/place.ts'
import type { Command } from '../exec/process.ts'
import { Trouble } from '../plan/outcome.ts'
import { redact } from '../plan/secrets.ts'
import type { Platform } from '../platforms/platform.ts'
import type { Described, StackDescription } from './describe.ts'

type Options = Record<string, unknown>

/** A member's settled options, its `in: 'postgres'` as a place on the platform. Throws Trouble(2) where the environment has no platform. */
export function placed(options: Options, platform: Platform | undefined): Options {
  const service = options.in
  if (typeof service !== 'string') return options
  if (!platform) throw new Trouble(2, `"${service}" is to be a service of the platform, and this environment has none`)
  return { ...options, in: serviceOn(platform, service) }
}

/** A service of a platform, for members that know nothing of platforms. */
function serviceOn(platform: Platform, service: string): PlatformService {
  return {
    service,
    where: `${platform.where}: ${service}`,
    enter(command, inside) {
      try {
        return platform.inside(service, command, inside)
      } catch (error) {
        // Of a platform that is not set up here; a member looks at its part before anything else, and says what it met.
        if (error instanceof Trouble) return barred(command, service, error)
        throw error
      }
    },
  }
}

/** A command that never starts: running it says why. */
function barred(command: Command, service: string, cause: Trouble): Command {
  const why = `The service ${service} cannot be entered, as its platform is not set up here: ${redact(cause.message)}`
  return {
    file: command.file,
    argv: command.argv,
    way: { says: `${command.file} in ${service}`, open: () => Promise.reject(new Trouble(8, why, { next: cause.next, look: cause.look, cause })) },
  }
}

/** Services that parts and checks name are those of a platform, so their environment has one. */
export function placesKnown(stack: StackDescription, context: RefinementCtx): void {
  for (const [name, { platform, data, checks }] of Object.entries(stack.environments)) {
    if (platform) continue
    const parts = Object.entries(data ?? stack.data).map(([part, described]) => [`data.${part}`, described] as const)
    const looks = (checks ?? stack.checks ?? []).map((described, i) => [`checks.${i}`, described] as const)
    for (const [where, described] of [...parts, ...looks]) {
      const service = serviceIn(described)
      if (service === undefined) continue
      const message = `${where} is in "${service}", a service of the platform, and this environment has no platform`
      context.addIssue({ code: 'custom', path: ['environments', name], message })
    }
  }
}

function serviceIn(described: Described<string>): string | undefined {
  const service = (described.options as Options | undefined)?.in
  return typeof service === 'string' ? service : undefined
}
