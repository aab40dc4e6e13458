import { randomBytes } from 'node:crypto'
import { mustRun } from '../../../exec/process.ts'
import { Trouble } from '../../../plan/outcome.ts'
import type { Doing } from '../../../plan/plan.ts'
import { Secret } from '../../../plan/secrets.ts'
import type { SetupValue } from '../../setup.ts'
import type { Site } from '../site.ts'

/** Where a composed value finds another: by Secret and key; undefined when it is not there. */
export type Find = (secret: string, key: string) => Promise<string | undefined>

const REFERENCE = /\{([a-z0-9.-]+)\/([\w.-]+)\}/g

/** The keys that a composed text is made of. */
export function partsOf(text: string): { readonly secret: string; readonly key: string }[] {
  return [...text.matchAll(REFERENCE)].map(([, secret = '', key = '']) => ({ secret, key }))
}

/** How a value is made, in words that tell nothing of it. */
export function wordsOf(value: SetupValue): string {
  switch (value.from) {
    case 'random':
      return `random, ${value.bytes} bytes in ${value.as}`
    case 'text':
      return `"${value.text}"`
    case 'composed':
      return `composed of ${partsOf(value.text)
        .map(({ secret, key }) => `${secret}/${key}`)
        .join(', ')}`
    case 'account':
      return 'the way in as the account of its pod'
    case 'certificate':
      return `${value.half === 'key' ? 'key of a' : 'a'} self-signed certificate for ${value.host}`
    case 'setting':
      return `the setting ${value.name}`
  }
}

/** A text with the values that it is composed of; undefined while one of them is not there. */
export async function composed(text: string, find: Find): Promise<string | undefined> {
  const isAddress = /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
  const values = await Promise.all(partsOf(text).map(async ({ secret, key }) => find(secret, key)))
  if (values.some(value => value === undefined)) return undefined
  let i = 0
  return text.replace(REFERENCE, () => {
    const value = values[i++] ?? ''
    return isAddress ? encodeURIComponent(value) : value
  })
}

/** The value of a setting as text; undefined for an optional one that is not set. */
export function settingOf(value: Extract<SetupValue, { from: 'setting' }>): string | undefined {
  const read = value.read()
  return read instanceof Secret ? read.reveal() : read
}

/** Where a pod finds who it is. */
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** The text of a kubeconfig for pods, with the address that the stack file has: another would be refused. */
export function accountConfig({ options }: Site): string {
  const [name, cluster] = ['own', { server: options.cluster, 'certificate-authority': `${ACCOUNT}/ca.crt` }]
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster }],
    users: [{ name, user: { tokenFile: `${ACCOUNT}/token` } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: options.namespace } }],
    'current-context': name,
  })
}

/** Makes the values of some keys of one Secret; none of them is ever shown again. */
export async function made(
  site: Site,
  name: string,
  keys: Readonly<Record<string, SetupValue>>,
  find: Find,
  doing: Doing,
): Promise<Readonly<Record<string, string>>> {
  const values: Record<string, string> = {}
  const keep = (key: string, value: string) => {
    values[key] = value
    // Known from now on, in either form, wherever a tool or a server repeats them.
    new Secret(`${name}/${key}`, value)
    new Secret(`${name}/${key}`, Buffer.from(value).toString('base64'))
  }
  const pairs = new Map<string, Promise<Pair>>()
  const later: [string, string][] = []
  for (const [key, value] of Object.entries(keys)) {
    if (value.from === 'random') keep(key, randomBytes(value.bytes).toString(value.as))
    else if (value.from === 'text') keep(key, value.text)
    else if (value.from === 'account') keep(key, accountConfig(site))
    else if (value.from === 'composed') later.push([key, value.text])
    else if (value.from === 'certificate') {
      const pair = pairs.get(value.host) ?? certificate(value.host, doing)
      pairs.set(value.host, pair)
      keep(key, (await pair)[value.half])
    } else keep(key, settingOf(value) ?? '')
  }
  const own: Find = async (secret, key) => (secret === name && values[key] !== undefined ? values[key] : find(secret, key))
  for (const [key, text] of later) {
    const value = await composed(text, own)
    if (value === undefined)
      throw new Trouble(3, `${name}/${key} is composed of ${wordsOf({ from: 'composed', text })}, and not all of that is there`)
    keep(key, value)
  }
  return values
}

type Pair = { readonly certificate: string; readonly key: string }

/** Ten years: it stands for "encrypted", and nobody checks whose it is. */
const DAYS = 3_650

/** A self-signed certificate with its key, by openssl, without a file. */
async function certificate(host: string, doing: Doing): Promise<Pair> {
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', String(DAYS), '-subj', `/CN=${host}`]
  const names = ['-addext', `subjectAltName=DNS:${host}`]
  const { stdout } = await mustRun({ file: 'openssl', argv: ['req', '-x509', ...made, ...names, '-keyout', '-', '-out', '-'] }, doing)
  const [key, crt] = [
    /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n/,
    /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/,
  ].map(block => block.exec(stdout)?.[0])
  if (!key || !crt) throw new Trouble(3, 'openssl made no certificate', { look: ['openssl version'] })
  return { key, certificate: crt }
}
