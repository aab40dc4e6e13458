import type { FromEnv, Text } from './describe.ts'

/** What a key of a Secret is to hold. */
export type SetupKey =
  | string
  | { readonly kind: 'random'; readonly bytes: number; readonly as: 'hex' | 'base64' | 'base64url' }
  | { readonly kind: 'from'; readonly setting: FromEnv; readonly optional: boolean }
  | { readonly kind: 'composed'; readonly text: string }
  | { readonly kind: 'account' }

/** A Secret: its keys, or what makes all of them. */
export type SetupSecretDescription =
  | Readonly<Record<string, SetupKey>>
  | { readonly kind: 'certificate'; readonly host: string }
  | { readonly kind: 'registry'; readonly server: Text; readonly username: FromEnv; readonly password: FromEnv; readonly optional: boolean }

/** What setup.ts makes in a new environment, besides what the files of the platform say; values are made once, and never shown or changed. */
export type SetupDescription = {
  readonly secrets?: Readonly<Record<string, SetupSecretDescription>>
  /** Files by name; `{ file }` is beside the stack file. */
  readonly configMaps?: Readonly<Record<string, Readonly<Record<string, Text | { readonly file: string }>>>>
}

/** So many random bytes, as text: `base64url` unless said, which may stand in an address. */
export const random = (bytes: number, as: 'hex' | 'base64' | 'base64url' = 'base64url') => ({ kind: 'random' as const, bytes, as })

/** The value of a setting; an `optional` one that is not set is left out. */
export const from = (setting: FromEnv, options: { optional?: boolean } = {}) => ({
  kind: 'from' as const,
  setting,
  optional: options.optional === true,
})

/** A text in which `{secret/key}` is the value of another key; in an address it is percent-encoded. */
export const composed = (text: string) => ({ kind: 'composed' as const, text })

/** The text of a kubeconfig with which a pod enters its own cluster as its own account; it holds no secret. */
export const ownAccount = () => ({ kind: 'account' as const })

/** A Secret with a self-signed certificate for a host (`tls.crt`, `tls.key`), by openssl. */
export const certificate = (host: string) => ({ kind: 'certificate' as const, host })

/** A Secret with the login of a registry, for imagePullSecrets; an `optional` one whose settings are not set is left out. */
export const registryLogin = (options: { server: Text; username: FromEnv; password: FromEnv; optional?: boolean }) => ({
  kind: 'registry' as const,
  server: options.server,
  username: options.username,
  password: options.password,
  optional: options.optional === true,
})
