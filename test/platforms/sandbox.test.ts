import { conforms } from './conformance.ts'
import { sandboxWorld } from './sandbox-world.ts'

conforms('the sandbox', { split: true, never: true }, sandboxWorld)
