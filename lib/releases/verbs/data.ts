import { type Command, mustRun, prints, run as runCommand } from '../../exec/process.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Action, Doing, Verb } from '../../plan/plan.ts'
import { plain } from '../../platforms/platform.ts'
import type { MigrateArgs } from '../sentences.ts'
import { type Migrate, platformOf, type ReleaseSite } from '../site.ts'

function migrateOf(site: ReleaseSite): Migrate {
  const { migrate } = site.deploy
  if (!migrate) throw new Trouble(5, 'The stack file no longer says how its data is migrated')
  return migrate
}

const command = (argv: readonly string[], { bundle }: MigrateArgs, site: ReleaseSite): Command =>
  platformOf(site).once(bundle, migrateOf(site).service, argv)

/** The id that the data stands at: the last line that the stack's own command prints. */
async function stands(args: MigrateArgs, site: ReleaseSite, doing: Doing): Promise<string> {
  const asked = command(migrateOf(site).at, args, site)
  const { code, stdout, stderr } = await runCommand(asked, doing)
  if (code !== 0) throw new Trouble(8, `${prints(asked)} exited ${code}: ${stderr}`)
  return stdout.trimEnd().split('\n').at(-1)?.trim() ?? ''
}

function action(argv: readonly string[], args: MigrateArgs, site: ReleaseSite): Action {
  const does = command(argv, args, site)
  return {
    kind: 'command',
    prints: prints(does),
    async run(doing) {
      const was = await stands(args, site, doing)
      await mustRun(does, doing)
      return { was, at: await stands(args, site, doing) }
    },
  }
}

/** Where the data stands; null while the files of the release, in which the command runs, are not there yet, as in a plan. */
async function seen(args: MigrateArgs, site: ReleaseSite, doing: Doing): Promise<At> {
  const there = (await platformOf(site).staged(args.bundle.release, doing)) !== null
  return { at: there ? await stands(args, site, doing) : null }
}

type At = { readonly at: string | null }

/** Migrate the data for a release, before it gets traffic. */
export const migrated: Verb<MigrateArgs, At, ReleaseSite> = {
  effect: 'write',
  half: 'ask',
  undone: 'migrate back',
  look: async (args, site, doing) => ({ state: await seen(args, site, doing), is: 'settled' }),
  goal: () => ({ at: { measured: 'at' } }),
  does: (args, site) => [action(migrateOf(site).up, args, site)],
  // Whether there is a way back is known to the stack file alone, so the verb that goes back says it when there is none.
  undo: ({ bundle }, before) => ({ verb: 'release.unmigrate', of: bundle.release, args: plain({ bundle, to: before.at, backup: null }) }),
}

/** Migrate the data, which has no way back: after it only a person can decide. */
export const migratedForGood: Verb<MigrateArgs, At, ReleaseSite> = {
  ...migrated,
  undone: 'only a person can decide',
  undo: ({ backup }) => ({
    none: backup
      ? `this migration cannot be taken back; the data from before it is in backup ${backup} (restore.ts --backup=${backup})`
      : 'this migration cannot be taken back, and no backup was taken before it',
    person: true,
  }),
}

/** Migrate the data back to where it stood. */
export const unmigrated: Verb<MigrateArgs, At, ReleaseSite> = {
  effect: 'write',
  half: 'ask',
  look: migrated.look,
  goal: ({ to }) => ({ at: to }),
  does: (args, site) => [
    action(
      (migrateOf(site).down ?? []).map(word => word.replaceAll('{to}', args.to ?? '')),
      args,
      site,
    ),
  ],
  undo: () => ({ none: 'it is itself an undo' }),
}
