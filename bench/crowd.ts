import { Pool } from 'undici'

/** What users of the front door saw. */
export type Seen = { readonly asked: number; readonly failed: number }

/** Sixty users who ask without a pause over kept-alive connections; a failure is a broken connection or a status of 500 and above. */
export function crowd(url: string, users = 60): { asked(): number; goHome(): Promise<Seen> } {
  const pool = new Pool(new URL(url).origin, { connections: users, pipelining: 1, headersTimeout: 30_000, bodyTimeout: 30_000 })
  let open = true
  let asked = 0
  let failed = 0
  const user = async (): Promise<void> => {
    while (open) {
      try {
        const { statusCode, body } = await pool.request({ path: '/', method: 'GET' })
        await body.dump()
        if (statusCode >= 500) failed += 1
      } catch {
        failed += 1
        // Where nobody listens, asking is quick: without a pause one outage would count a thousandfold.
        await new Promise(resolve => setTimeout(resolve, 10))
      }
      asked += 1
    }
  }
  const all = Promise.all(Array.from({ length: users }, user))
  return {
    asked: () => asked,
    async goHome() {
      open = false
      await all
      await pool.destroy()
      return { asked, failed }
    },
  }
}
