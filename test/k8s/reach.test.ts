import { describe, expect, test } from 'vitest'
import { kubectlFile } from '../testbed/kubernetes.ts'
import { COMPONENTS, render, renderInto } from './kit.ts'
import { reaches } from './reach.ts'

// The cluster of the tests stores policies and does not enforce them, so they are read as a network plugin reads them.
const withoutKubectl = kubectlFile() === undefined
const beside = ['ingress-nginx', 'monitoring', 'gateway', 'another'].map(namespace => ({ name: namespace, namespace }))
const OTHERS = [...beside, { name: 'runbooks', labels: { app: 'runbooks' } }, { name: 'stranger', labels: { app: 'stranger' } }]

describe.skipIf(withoutKubectl)(`who may reach whom${withoutKubectl ? ' (skipped, needs kubectl)' : ''}`, () => {
  const checkIn = [
    'backend → mongodb:27017',
    'backend → redis:6379',
    'backend → rehearsal-redis:6379',
    'frontend → backend:3001',
    'ingress-nginx → backend:3001',
    'ingress-nginx → frontend:3000',
    'mongodb → mongodb:27017',
    'mongodb-init → mongodb:27017',
    'monitoring → backend:3001',
    'runbooks → mongodb:27017',
  ]

  test('in check-in', () => {
    expect(reaches(render('k8s/check-in/production'), OTHERS)).toEqual(checkIn)
  })

  test('in check-in with its components', () => {
    const more = ['gateway → backend:3001', 'gateway → frontend:3000', 'mongo-express → mongodb:27017']
    expect(reaches(renderInto('k8s/check-in/production', 'checkin-production', { components: COMPONENTS }), OTHERS)).toEqual(
      [...checkIn, ...more].sort(),
    )
  })

  test('in veza', () => {
    const services = [
      { name: 'backend-api', port: 8080, metrics: 9090 },
      { name: 'chat-server', port: 8081, metrics: 9091 },
      { name: 'stream-server', port: 8082, metrics: 9092 },
    ]
    const each = services.flatMap(({ name, port, metrics }) => [
      `ingress-nginx → veza-${name}:${port}`,
      `monitoring → veza-${name}:${metrics}`,
      `veza-${name} → postgres:5432`,
      `veza-${name} → redis:6379`,
      `veza-${name} → rehearsal-redis:6379`,
    ])
    const between = [
      'veza-backend-api → veza-chat-server:8081',
      'veza-backend-api → veza-stream-server:8082',
      'veza-chat-server → veza-backend-api:8080',
      'veza-stream-server → veza-backend-api:8080',
    ]
    const runbooks = ['postgres:5432', 'redis:6379', 'rehearsal-redis:6379'].map(to => `runbooks → ${to}`)
    expect(reaches(render('k8s/veza/production'), OTHERS)).toEqual([...each, ...between, ...runbooks].sort())
  })
})
