import type { Action, Doing, Seen } from '../plan/plan.ts'
import type { Secret } from '../plan/secrets.ts'

/** What a key of a Secret is to hold; what refers to a setting is read only when it is needed. */
export type SetupValue =
  | { readonly from: 'random'; readonly bytes: number; readonly as: 'hex' | 'base64' | 'base64url' }
  | { readonly from: 'text'; readonly text: string }
  /** `{secret/key}` in the text is the value of that key, percent-encoded where the text is an address. */
  | { readonly from: 'composed'; readonly text: string }
  /** The text of a kubeconfig with which a pod enters this cluster as its own account: it names files of the pod, and holds no secret. */
  | { readonly from: 'account' }
  /** Half of a self-signed certificate, made whole. */
  | { readonly from: 'certificate'; readonly host: string; readonly half: 'certificate' | 'key' }
  /** Undefined: an optional one that is not set. Throws Trouble(2) for another that is not set. */
  | { readonly from: 'setting'; readonly name: string; readonly read: () => string | Secret | undefined }

/** A Secret as the stack file wants it. */
export type SetupSecret = { readonly type: string; readonly keys: Readonly<Record<string, SetupValue>> }

/** What the stack file says of a new environment, besides the files of its platform. */
export type SetupWants = {
  /** In an order in which each is composed only of those before it. */
  readonly secrets: Readonly<Record<string, SetupSecret>>
  readonly configMaps: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** How something stands. */
export type SetupState = 'missing' | 'differs' | 'right'

/** What a step works on: names, with what each is to be (a digest, or words), never a value. */
export type SetupWork = {
  readonly phase: 'setup' | 'secret' | 'data' | 'edge'
  readonly of: string
  readonly things: Readonly<Record<string, string>>
}

/** Things that belong together as they stand; `says` are lines for people about those that are not right. */
export type SetupPart = SetupWork & { readonly states: Readonly<Record<string, SetupState>>; readonly says: Readonly<Record<string, string>> }

/** What a look at an environment found. */
export type Survey = {
  /** What must hold before anything is made. */
  readonly needs: readonly { readonly title: string; readonly holds: boolean; readonly because: string; readonly mend?: string }[]
  /** What is made before the lease is taken, because the lease is kept in it; null when it is there. */
  readonly ground: string | null
  readonly parts: readonly SetupPart[]
  /** Whether the databases were asked for and are there, and are not ready. */
  readonly unready: boolean
  /** Values that are other than the stack file has them; they stay. */
  readonly stays: readonly string[]
}

/** Makes what a new environment needs, and never what is there already. */
export interface Setup {
  /** Throws Trouble when it cannot look, or when what is wanted is not valid. */
  survey(data: boolean, doing: Doing): Promise<Survey>
  ground(doing: Doing): Promise<void>
  states(work: SetupWork, doing: Doing): Promise<Readonly<Record<string, SetupState>>>
  make(work: SetupWork): readonly Action[]
  /** Removes things that `make` made. */
  unmake(work: SetupWork): readonly Action[]
  /** Settled when the databases are ready. */
  ready(doing: Doing): Promise<Seen>
}
