// The application's own user: it reads and writes its database and can do nothing else. Runs once, when the volume is empty.
const password = require('fs').readFileSync('/run/secrets/mongodb_app_password', 'utf8').trim()
db.getSiblingDB('admin').createUser({ user: 'immoexpress', pwd: password, roles: [{ role: 'readWrite', db: process.env.MONGO_INITDB_DATABASE }] })
