export { age, defineStack, directory, env, files, mongodb, s3, secret, sqlite } from './stack/describe.ts'
