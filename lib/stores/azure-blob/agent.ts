import { Agent, type AgentOptions } from 'node:http'
import { Agent as SecureAgent } from 'node:https'

/** Connections that are kept for the next request, and break (ETIMEDOUT) when they were silent for so long in the middle of one: the SDK would wait for ever. */
export function patientAgent(secure: boolean, silenceMs: number): Agent {
  const options: AgentOptions = { keepAlive: true, timeout: silenceMs }
  const agent = secure ? new SecureAgent(options) : new Agent(options)
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (target, done) => {
    const socket = connect(target, done)
    socket?.once('timeout', () => socket.destroy(Object.assign(new Error(`the server was silent for ${silenceMs / 1000} s`), { code: 'ETIMEDOUT' })))
    return socket
  }
  const reuse = agent.reuseSocket.bind(agent)
  agent.reuseSocket = (socket, request) => {
    reuse(socket, request)
    // While it lay idle, the server's own shorter limit may have been put on it.
    if ('setTimeout' in socket) (socket as import('node:net').Socket).setTimeout(silenceMs)
  }
  return agent
}
