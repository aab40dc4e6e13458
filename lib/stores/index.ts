export { azureBlob } from './azure-blob/index.ts'
export { directory } from './directory/index.ts'
export { s3 } from './s3/index.ts'
