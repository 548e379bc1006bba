// What oauth4webapi makes of a server: standard input says where and with which tokens, standard output what came.
import { readFileSync } from 'node:fs'
import * as oauth from 'oauth4webapi'

const { issuer, watcher, secret, tokens, holder } = JSON.parse(readFileSync(0, 'utf8'))
const insecure = { [oauth.allowInsecureRequests]: true }
const url = new URL(issuer)
const server = await oauth.processDiscoveryResponse(
  url, await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...insecure }))

const introspect = async (token, clientSecret = secret) => {
  const client = { client_id: watcher }
  const authentication = oauth.ClientSecretBasic(clientSecret)
  const answer = await oauth.introspectionRequest(server, client, authentication, token, insecure)
  return oauth.processIntrospectionResponse(server, client, answer)
}
const revoke = async (token, authentication) => {
  const answer = await oauth.revocationRequest(server, { client_id: holder }, authentication, token, insecure)
  await oauth.processRevocationResponse(answer)
}
const refusal = (promise) => promise.then(
  () => ({ name: 'none' }), (error) => ({ name: error.name, status: error.status, error: error.error ?? null }))

const said = { server, active: await introspect(tokens.active), revoked: await introspect(tokens.revoked),
               unknown: await introspect(tokens.unknown), nonsense: await introspect('nonsense') }
said.wrongSecret = await refusal(introspect(tokens.active, tokens.unknown))
said.anothersToken = await refusal(revoke(tokens.active, oauth.ClientSecretBasic(tokens.first)))
said.firstBefore = await introspect(tokens.first)
await revoke(tokens.first, oauth.ClientSecretBasic(tokens.first))
said.firstAfter = await introspect(tokens.first)
await revoke(tokens.second, oauth.None())
said.secondAfter = await introspect(tokens.second)
await revoke(tokens.second, oauth.None())
said.activeAfter = await introspect(tokens.active)
console.log(JSON.stringify(said))
