import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { freePort } from '../testbed/ports.ts'
import { launch, type Server } from '../testbed/server.ts'
import { find } from '../testbed/tools.ts'
import { textOf } from './assets.ts'

/** What Alertmanager sends to Discord. */
export type Embed = { readonly title: string; readonly description: string; readonly color: number }

/** A server that takes what Discord would: every embed, in order, and a wait for the next one whose title is wanted. */
export async function discord() {
  const heard: Embed[] = []
  const waiting = new Set<() => void>()
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', part => parts.push(part))
    request.on('end', () => {
      heard.push(...(JSON.parse(Buffer.concat(parts).toString()) as { embeds: Embed[] }).embeds)
      response.writeHead(204).end()
      for (const tell of waiting) tell()
    })
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/api/webhooks/1/token`,
    async next(title: RegExp): Promise<Embed> {
      for (;;) {
        const found = heard.find(embed => title.test(embed.title))
        if (found) return found
        await new Promise<void>(tell => waiting.add(tell))
      }
    },
    end: () => new Promise(done => server.close(done)),
  }
}

/** Starts Alertmanager with benevoclic's own configuration and templates, its waits shortened and its webhook's file in the server's folder. */
export async function alertmanager(webhook: string): Promise<Server & { post(alerts: readonly object[]): Promise<void> }> {
  const file = find('prometheus-alertmanager')
  if (file === undefined) throw new Error('prometheus-alertmanager is missing; to install it: npm run testbed -- install amtool')
  const web = await freePort()
  const server = await launch({
    name: 'alertmanager',
    port: web,
    command: (port, folder) => {
      const secret = join(folder, 'discord_webhook_url')
      writeFileSync(secret, webhook)
      mkdirSync(join(folder, 'templates'))
      writeFileSync(join(folder, 'templates/discord.tmpl'), textOf('benevoclic', 'alertmanager/templates/discord.tmpl'))
      const config = textOf('benevoclic', 'alertmanager/alertmanager.yml')
        .replace('/run/secrets/discord_webhook_url', secret)
        .replace('group_wait: 10s', 'group_wait: 0s')
        .replace('group_interval: 1m', 'group_interval: 100ms')
      writeFileSync(join(folder, 'alertmanager.yml'), config)
      const places = [`--config.file=${join(folder, 'alertmanager.yml')}`, `--storage.path=${join(folder, 'data')}`]
      return { file, argv: [...places, `--web.listen-address=127.0.0.1:${port}`, '--cluster.listen-address=', '--log.level=warn'] }
    },
    ready: async port => {
      const { ok } = await fetch(`http://127.0.0.1:${port}/-/ready`)
      if (!ok) throw new Error('not ready')
    },
  })
  return {
    ...server,
    async post(alerts) {
      const body = JSON.stringify(alerts)
      const { status } = await fetch(`http://127.0.0.1:${server.port}/api/v2/alerts`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      })
      if (status !== 200) throw new Error(`Alertmanager answered ${status}`)
    },
  }
}
