import { type ComposeFile, filled, type ServiceFile } from './assets.ts'

/** Data servers: nothing outside their network may reach them. */
const DATABASES = /^(postgres|redis|mongo)[:@]/

const NAMES_A_SECRET = /PASSWORD|PASSWD|SECRET|TOKEN|PRIVATE|CREDENTIAL|WEBHOOK|ACCESS_KEY|API_KEY|CLIENT_EMAIL|DSN|(DATABASE|REDIS|MONGODB)_UR[IL]/

type Rule = readonly [broken: (service: ServiceFile, file: ComposeFile) => boolean, says: string]

const tagOf = (image: string): string | undefined => /^[^:@]+(?:\/[^:@]+)*:([^:@/]+)$/.exec(image)?.[1]
const hostOf = (port: string): string | undefined => /^(\d+\.\d+\.\d+\.\d+):\d+:\d+$/.exec(filled(port))?.[1]
const probe = (service: ServiceFile): string => (service.healthcheck?.test ?? []).join(' ')

const mountsOf = (service: ServiceFile) =>
  (service.volumes ?? []).map(volume => {
    if (typeof volume !== 'string') return { source: filled(volume.source), target: volume.target, readOnly: volume.read_only === true }
    const [source = '', target = '', mode = ''] = filled(volume).split(':')
    return { source, target, readOnly: mode.split(',').includes('ro') }
  })

const image: readonly Rule[] = [
  [({ image = '' }) => !/^\$\{[A-Z_]+_IMAGE:-[^}]+\}/.test(image), 'its image is not named by a variable with a default'],
  [({ image = '' }) => !/\d/.test(tagOf(filled(image)) ?? ''), 'its image has no version'],
  [({ build }) => build !== undefined, 'it is built where it runs'],
]

const privileges: readonly Rule[] = [
  [({ user = '' }) => !/^[1-9]\d*:\d+$/.test(filled(user)), 'it runs as root, or as whoever the image says'],
  [({ cap_drop = [] }) => !cap_drop.includes('ALL'), 'it keeps capabilities'],
  [({ cap_add = [] }) => cap_add.length > 0, 'it adds capabilities'],
  [({ privileged }) => privileged === true, 'it is privileged'],
  [({ network_mode }) => network_mode !== undefined, 'it has no network of its own'],
  [({ security_opt = [] }) => !security_opt.includes('no-new-privileges:true'), 'it may gain privileges'],
  [({ read_only }) => read_only !== true, 'its file system is writable'],
  [service => mountsOf(service).some(({ source }) => source.includes('docker.sock')), 'it is given the Docker engine'],
  [
    service => mountsOf(service).some(({ source, target, readOnly }) => /^[./]/.test(source) && !readOnly && !target.endsWith('/uploads')),
    'it can write to a folder of the host',
  ],
]

const limits: readonly Rule[] = [
  [({ mem_limit }) => !/^\d+[mg]$/.test(filled(mem_limit ?? '')), 'its memory is not limited'],
  // More than the host has is refused by Docker, and the smallest hosts have one.
  [({ cpus }) => !(Number(filled(String(cpus))) > 0 && Number(filled(String(cpus))) <= 1), 'its CPU is not limited to one at most'],
  [({ pids_limit }) => !pids_limit, 'its processes are not limited'],
  [({ logging }) => logging?.driver !== 'json-file' || !logging.options?.['max-size'] || !logging.options['max-file'], 'its log grows for ever'],
]

const life: readonly Rule[] = [
  [service => !/^CMD(-SHELL)? \S/.test(probe(service)) || service.healthcheck?.disable === true, 'it has no health check'],
  [service => /\bcurl\b/.test(probe(service)), 'its health check needs curl, which Alpine images do not have'],
  [({ healthcheck }) => !healthcheck?.start_interval || !healthcheck.start_period, 'its health is not looked at more often while it starts'],
  [({ restart }) => restart !== 'unless-stopped', 'it is not started again'],
  [({ stop_signal, stop_grace_period }) => !stop_signal || !stop_grace_period, 'how it is stopped is left to chance'],
]

const exposure: readonly Rule[] = [
  [({ image = '', ports = [] }) => DATABASES.test(filled(image)) && ports.length > 0, 'a database publishes a port'],
  [({ ports = [] }) => ports.some(port => hostOf(port) === undefined), 'a port is published without an address'],
  [
    ({ image = '', ports = [] }) => !filled(image).startsWith('nginx:') && ports.some(port => hostOf(port) !== '127.0.0.1'),
    'a port other than the front door’s is open to the world',
  ],
]

const secrets: readonly Rule[] = [
  [
    ({ environment = {} }) => Object.keys(environment).some(name => NAMES_A_SECRET.test(name) && !/_FILE$/.test(name) && !/DISABLE/.test(name)),
    'a secret is a variable',
  ],
  [
    ({ environment = {} }) => Object.values(environment).some(value => /\/\/[^/\s]*:[^/\s]*@/.test(filled(String(value)))),
    'an address has a password',
  ],
  [({ env_file }) => env_file !== undefined, 'it reads variables from a file'],
  [
    ({ environment = {}, secrets = [] }, file) =>
      Object.entries(environment).some(([name, value]) => {
        const secret = /^\/run\/secrets\/(\w+)$/.exec(String(value))?.[1]
        return name.endsWith('_FILE') && (secret === undefined || !secrets.includes(secret) || file.secrets?.[secret] === undefined)
      }),
    'a secret file is named that it is not given',
  ],
]

const RULES: readonly Rule[] = [...image, ...privileges, ...limits, ...life, ...exposure, ...secrets]

/** What is wrong with a service of a Compose file, in words; nothing when all is well. */
export const wrongWith = (service: ServiceFile, file: ComposeFile): string[] =>
  RULES.filter(([broken]) => broken(service, file)).map(([, says]) => says)

/** What is wrong with the rest of a Compose file. */
export function wrongWithFile(file: ComposeFile): string[] {
  const secrets = Object.entries(file.secrets ?? {})
  const used = Object.values(file.services ?? {}).flatMap(service => service.secrets ?? [])
  return [
    ...(file.version === undefined ? [] : ['it has a version, which Compose no longer reads']),
    ...secrets
      .filter(([name, { file: path }]) => path !== `\${SECRETS_DIR:-./secrets}/${name}`)
      .map(([name]) => `secret ${name} is not a file of its name`),
    ...secrets.filter(([name]) => !used.includes(name)).map(([name]) => `secret ${name} is given to nobody`),
  ]
}
