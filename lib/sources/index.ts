export { files } from './files/index.ts'
export { mongodb } from './mongodb/index.ts'
export { sqlite } from './sqlite/index.ts'
