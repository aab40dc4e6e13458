import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Puts a filesystem of its own, in memory, over a folder. */
export function mount(at: string, size: `${number}m`): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', at], { stdio: 'pipe' })
}

/** Takes it away; lazily, because the kernel may take a moment to let go of a server's files. */
export function unmount(at: string): void {
  execFileSync('umount', ['-l', at], { stdio: 'pipe' })
}

/** Empty where this user may mount, otherwise what the titles of skipped tests say; throws instead when TESTBED_REQUIRE=all. */
export const noMount = tried()

function tried(): string {
  const at = mkdtempSync(join(tmpdir(), 'mount-'))
  try {
    mount(at, '1m')
    unmount(at)
    return ''
  } catch (error) {
    if (process.env.TESTBED_REQUIRE === 'all') throw error
    return ' (skipped: this user may not mount a tmpfs)'
  } finally {
    rmdirSync(at)
  }
}
