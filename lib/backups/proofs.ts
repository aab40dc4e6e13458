import { seal, unseal } from './manifest.ts'

/** What a verification, a sample or a drill found; written once beside the manifest, never changed. */
export type Proof = {
  readonly kind: 'verify' | 'sample' | 'drill'
  readonly good: boolean
  readonly at: string
  readonly run: string
  readonly by: { readonly user: string; readonly host: string }
  /** Time from the first byte read to the last comparison, in milliseconds. */
  readonly tookMs: number
  readonly findings: readonly string[]
  /** Of a sample: the frames that were read, of how many, and how they were chosen. */
  readonly sample?: { readonly percent: number; readonly seed: string; readonly frames: number; readonly of: number }
}

const NAME = /^proof-(\d{8}T\d{6}Z)-(verify|sample|drill)-(good|bad)-[a-z0-9]+\.json$/

/** The file name tells the verdict, so that a listing alone can show it. `at` is ISO 8601. */
export function proofName(proof: Pick<Proof, 'kind' | 'good' | 'at' | 'run'>): string {
  const time = `${proof.at.slice(0, 19).replace(/[-:]/g, '')}Z`
  return `proof-${time}-${proof.kind}-${proof.good ? 'good' : 'bad'}-${proof.run.slice(-6)}.json`
}

/** What a proof's file name tells; undefined for other files. `time` sorts as text. */
export function readProofName(name: string): { time: string; kind: Proof['kind']; good: boolean } | undefined {
  const found = NAME.exec(name)
  return found ? { time: found[1] as string, kind: found[2] as Proof['kind'], good: found[3] === 'good' } : undefined
}

export const writeProof = (proof: Proof) => seal(proof)
export const readProof = (text: string, name: string) => unseal(text, name) as unknown as Proof
