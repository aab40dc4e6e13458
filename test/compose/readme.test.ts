import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { ROOT } from '../runbooks/kit.ts'
import { composeOf, filesOf, filled, STACKS, servicesOf, textOf, wholeFiles } from './assets.ts'
import { workflowFiles } from './workflow.ts'

/** The rows of a table of a page by their first cell, a name in code marks. */
const rows = (page: string): Map<string, string[]> =>
  new Map(
    [...page.matchAll(/^\| `([^`]+)` \| (.*) \|$/gm)].map(([, name = '', rest = '']) => [
      name,
      rest.split(' | ').map(cell => cell.replace(/^`(.*)`$/, '$1')),
    ]),
  )

describe.each(STACKS)('README of %s', stack => {
  const page = textOf(stack, 'README.md')
  const named = rows(page)

  test('names every file, and no other', () => {
    const files = filesOf(stack).filter(path => !['README.md', '.gitignore'].includes(path))
    expect(files.filter(path => !named.has(path))).toEqual([])
    const paths = [...named.keys()].filter(name => /\.(ya?ml|conf|json|js|tmpl|example)$/.test(name))
    expect(paths.sort()).toEqual(files)
  })

  test('names every secret file', () => {
    const secrets = wholeFiles(stack).flatMap(file => Object.keys(composeOf(stack, file).secrets ?? {}))
    expect(secrets.filter(name => !named.has(name))).toEqual([])
  })

  test('names every variable with the default that it has, and no other', () => {
    const yaml = filesOf(stack).filter(path => /^[\w-]+\.yaml$/.test(path))
    const found = new Map(
      yaml.flatMap(path => [...textOf(stack, path).matchAll(/\$\{([A-Z_]+):-([^}"]*)/g)].map(([, name = '', value = '']) => [name, value])),
    )
    const probes = [...found.keys()].filter(name => name.endsWith('_PROBE'))
    expect(probes.filter(name => !page.includes(`\`${name}\``))).toEqual([])
    const wanted = [...found].filter(([name]) => !name.endsWith('_PROBE')).sort()
    const listed = [...named].filter(([name]) => /^[A-Z][A-Z_]+$/.test(name)).map(([name, [value = '']]) => [name, value])
    expect(listed.sort()).toEqual(wanted)
  })

  test('names every secret and variable that the workflows read', () => {
    const text = workflowFiles(stack)
      .map(path => textOf(stack, path))
      .join('')
    const read = [...new Set([...text.matchAll(/(?:secrets|vars)\.([A-Z0-9_]+)/g)].map(([, name = '']) => name))]
    expect(read.filter(name => !page.slice(page.indexOf('## Workflows')).includes(`\`${name}\``))).toEqual([])
  })

  test('its Compose commands use files and services that there are', () => {
    const commands = page.match(/docker compose [^\n`|]+/g) ?? []
    expect(commands.length).toBeGreaterThan(4)
    const files = commands.flatMap(command => [...command.matchAll(/-f (\S+\.yaml)/g)].map(([, file = '']) => file))
    expect(files.filter(file => file !== 'mine.yaml' && !existsSync(join(ROOT, 'compose', stack, file)))).toEqual([])
    const services = commands.flatMap(command => /(?:exec|restart|kill -s HUP) ([\w-]+)/.exec(command)?.[1] ?? [])
    const names = servicesOf(stack).map(({ name }) => name)
    expect(services.filter(name => !names.includes(name))).toEqual([])
  })

  test('what it adds for an application that knows variables only is a change of a service that there is', () => {
    const [, block = ''] = /```yaml\n([\s\S]*?)```/.exec(page) ?? []
    const { services } = parse(block) as { services: Record<string, { command: string[] }> }
    const names = servicesOf(stack).map(({ name }) => name)
    for (const [name, { command }] of Object.entries(services)) {
      expect(names).toContain(name)
      const script = filled(command[2] ?? '')
      for (const [, secret = ''] of script.matchAll(/\/run\/secrets\/([a-z_]+)/g))
        expect(composeOf(stack, 'app.yaml').services?.[name]?.secrets).toContain(secret)
    }
  })
})

describe('docs/compose.md', () => {
  const page = readFileSync(join(ROOT, 'docs/compose.md'), 'utf8')

  test('its links lead somewhere', () => {
    const links = [...page.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path = '']) => path)
    expect(links.length).toBeGreaterThan(3)
    expect(links.filter(path => !existsSync(join(dirname(join(ROOT, 'docs/compose.md')), path)))).toEqual([])
  })

  test('each variable that it says the toolkit sets is one of the Compose files', () => {
    const names = [...rows(page).keys()].filter(name => /^[A-Z_]+$/.test(name))
    expect(names).toEqual(['SLOT', 'EDGE_PROJECT', 'RUNBOOKS_RELEASE', 'SECRETS_DIR', 'RUNBOOKS_DIR'])
    for (const name of names)
      for (const stack of STACKS)
        expect(
          wholeFiles(stack)
            .map(file => textOf(stack, file))
            .join(''),
        ).toContain(`\${${name}:-`)
  })
})
