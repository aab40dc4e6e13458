import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { documentedSecrets, project } from './kit.ts'

const read = (path: string) => readFileSync(join(project, path), 'utf8')
const named = (page: string) => [...page.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name = '']) => name)

function leadSomewhere(path: string): void {
  const links = [...read(path).matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, link = '']) => link).filter(link => !link.startsWith('http'))
  expect(
    links.filter(link => !existsSync(join(project, dirname(path), link))),
    path,
  ).toEqual([])
}

describe.each(['check-in', 'veza'])('README of %s', stack => {
  const folder = join(project, 'k8s', stack)
  const page = read(`k8s/${stack}/README.md`)

  test('names every file, and no other', () => {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile() && entry.name !== 'README.md')
      .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
    expect(named(page.slice(page.indexOf('## What is in it'), page.indexOf('## Corrected'))).sort()).toEqual(files.sort())
  })

  test('names every secret and variable that the workflows read, and no other', () => {
    const workflows = readdirSync(join(folder, 'workflows')).map(name => read(`k8s/${stack}/workflows/${name}`))
    const wanted = (kind: string) =>
      new Set(workflows.flatMap(text => [...text.matchAll(new RegExp(`${kind}\\.([A-Z0-9_]+)`, 'g'))].map(([, name]) => name)))
    const section = page.slice(page.indexOf('## Workflows'))
    const listed = (kind: string) =>
      new Set([...(new RegExp(`^- ${kind}: (.*)$`, 'm').exec(section)?.[1] ?? '').matchAll(/`([A-Z0-9_]+)`/g)].map(([, name]) => name))
    const runner = new Set(['RUNBOOKS_RUNNER'])
    expect(listed('secrets')).toEqual(wanted('secrets'))
    expect(listed('variables')).toEqual(wanted('vars').difference(runner))
  })

  test('its links lead somewhere, and its commands name overlays that there are', () => {
    leadSomewhere(`k8s/${stack}/README.md`)
    const overlays = [...page.matchAll(/apply -k (\S+?)[\s`]/g)].map(([, path = '']) => path)
    expect(overlays.length).toBeGreaterThan(3)
    expect(overlays.filter(path => !existsSync(join(project, path, 'kustomization.yaml')))).toEqual([])
    expect(documentedSecrets(stack).size).toBeGreaterThan(2)
  })
})

describe('docs/kubernetes.md', () => {
  const page = read('docs/kubernetes.md')

  test('its links lead somewhere', () => leadSomewhere('docs/kubernetes.md'))

  test('names every way in which a stand-in misbehaves, and no other', () => {
    const can = [...read('test/testbed/stand-in-app.ts').matchAll(/misbehaves\('([\w-]+)'\)/g)].map(([, how]) => how)
    const told = named(page).flatMap(name => /^…-(.*)$/.exec(name)?.[1] ?? [])
    expect(new Set(told)).toEqual(new Set(can))
  })

  test('names every role', () => {
    const roles = [...read('k8s/veza/base/access.yaml').matchAll(/kind: Role\nmetadata:\n {2}name: (\S+)/g)].map(([, name]) => name)
    expect(roles.length).toBe(3)
    expect(named(page).filter(name => name.startsWith('runbooks-'))).toEqual(roles)
  })
})
