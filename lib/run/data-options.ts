import type { DataSite } from '../backups/site.ts'
import { many, text } from './options.ts'

/** The key that decrypts; asked for before the first byte moves, and only where the stack encrypts. */
export const identity = () =>
  text({
    ask: 'Key to decrypt (age identity file)',
    help: 'age identity file, to decrypt',
    shows: 'file',
    unless: ['undo'],
    when: ({ site }: { site: DataSite }) => site.encryption !== undefined,
  })

/** The store that is read from, where a stack has several. */
export const store = () => text({ help: 'read from this store of the stack (the first, unless given)', shows: 'name' })

/** Parts of the stack; all, when none is given. */
export const parts = (help: string) =>
  many({ ask: 'Which parts?', help, unless: ['undo'], choices: ({ site }: { site: DataSite }) => [...site.parts.keys()].map(value => ({ value })) })
