import { describe } from 'vitest'
import { cells } from './conformance/cells.ts'
import { objects } from './conformance/objects.ts'
import { refusals } from './conformance/refusals.ts'
import { open, type Recipe } from './recipes.ts'

/** A new and empty store for one test. */
export type Fresh = () => Promise<Recipe>

/** What every member of the family does in the same way. */
export function conformance(title: string, fresh: Fresh): void {
  const store = async () => open(await fresh())
  describe(title, () => {
    objects(store)
    refusals(store, fresh)
    cells(store)
  })
}
