// Run by mongosh --nodb. The replica set is made once, by the first member; the users are made, or given their passwords again.
const members = process.env.MEMBERS.split(',')
const login = `${encodeURIComponent(process.env.MONGO_ROOT_USERNAME)}:${encodeURIComponent(process.env.MONGO_ROOT_PASSWORD)}`

// hello needs no login; a member that does not answer fails the job, which is then tried again.
const named = members.map(host => connect(`mongodb://${host}/admin?directConnection=true`).runCommand({ hello: 1 }).setName)

if (named.every(name => name === undefined)) {
  const first = connect(`mongodb://${login}@${members[0]}/admin?directConnection=true&authSource=admin`)
  first.runCommand({ replSetInitiate: { _id: 'rs0', members: members.map((host, _id) => ({ _id, host })) } })
  print('the replica set rs0 was made')
} else if (named.includes('rs0')) {
  print(`the replica set rs0 is there: ${named.filter(name => name === 'rs0').length} of ${members.length} members belong to it`)
} else {
  throw new Error(`the members say that they belong to ${named.join(', ')}, not to rs0`)
}

const admin = connect(`mongodb://${login}@${members.join(',')}/admin?replicaSet=rs0&authSource=admin&serverSelectionTimeoutMS=60000`)
const users = {
  checkin: { pwd: process.env.MONGO_APP_PASSWORD, roles: [{ role: 'readWrite', db: 'checkin' }] },
  // Backups read one database; a drill and a restore make another one beside it.
  runbooks: { pwd: process.env.MONGO_RUNBOOKS_PASSWORD, roles: ['readWriteAnyDatabase', 'dbAdminAnyDatabase', 'clusterMonitor'] },
}
for (const [name, user] of Object.entries(users)) {
  if (admin.getUser(name) === null) admin.createUser({ user: name, ...user })
  else admin.updateUser(name, user)
}
print('the user checkin may read and write the database checkin, and the user runbooks every database')
