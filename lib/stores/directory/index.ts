import { lstat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { checkPath } from '../paths.ts'
import type { Store } from '../store.ts'
import { cell, filesystemNow } from './cell.ts'
import { facts } from './facts.ts'
import { calling, unless } from './faults.ts'
import { removeEmpty, syncFolder } from './folders.ts'
import { get } from './get.ts'
import { leftovers, list } from './listing.ts'
import { put } from './put.ts'

/** A folder of this machine, or of one that is mounted here, as a store. The folder is made on first use when its parent exists. */
export function directory(options: { readonly name?: string; readonly path: string }): Store {
  const root = resolve(options.path)
  const name = options.name ?? 'directory'
  const at = (path: string) => join(root, checkPath(path))
  const below = (prefix: string) => (prefix === '' ? '' : checkPath(prefix))

  const erase = (file: string) =>
    calling(file, async () => {
      await unless(['ENOENT', 'ENOTDIR'], unlink(file))
      await unless(['ENOENT', 'ENOTDIR'], syncFolder(dirname(file)))
      await removeEmpty(root, dirname(file))
    })

  return {
    name,
    where: root,
    facts: () => facts(name, root),
    put: (path, body, doing, about) => put(root, at(path), body, doing.signal, about),
    get: (path, doing, range) => get(at(path), doing.signal, range),
    head: path =>
      calling(at(path), async () => {
        const found = await unless(['ENOENT', 'ENOTDIR'], lstat(at(path)))
        return found?.isFile() ? { bytes: found.size, modified: found.mtime.toISOString() } : null
      }),
    list: prefix => calling(root, () => list(root, below(prefix))),
    remove: path => erase(at(path)),
    leftovers: (prefix, olderThanMs) => calling(root, async () => leftovers(root, below(prefix), (await filesystemNow(root)) - olderThanMs)),
    clear: leftover => erase(join(root, leftover.id)),
    cell: path => cell(root, at(path)),
  }
}
