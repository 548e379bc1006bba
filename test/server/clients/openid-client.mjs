// The same with openid-client, which finds and asks by itself.
import { readFileSync } from 'node:fs'
import * as openid from 'openid-client'

const { issuer, watcher, secret, tokens, holder } = JSON.parse(readFileSync(0, 'utf8'))
const as = (client, authentication) => openid.discovery(
  new URL(issuer), client, undefined, authentication, { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] })
const refusal = (promise) => promise.then(
  () => ({ name: 'none' }), (error) => ({ name: error.name, status: error.status, error: error.error ?? null }))

const watching = await as(watcher, openid.ClientSecretBasic(secret))
const introspect = (token) => openid.tokenIntrospection(watching, token)
const said = { server: watching.serverMetadata(), active: await introspect(tokens.active),
               revoked: await introspect(tokens.revoked), unknown: await introspect(tokens.unknown),
               nonsense: await introspect('nonsense') }
const wrong = await as(watcher, openid.ClientSecretBasic(tokens.unknown))
said.wrongSecret = await refusal(openid.tokenIntrospection(wrong, tokens.active))
const first = await as(holder, openid.ClientSecretBasic(tokens.first))
said.anothersToken = await refusal(openid.tokenRevocation(first, tokens.active))
said.firstBefore = await introspect(tokens.first)
await openid.tokenRevocation(first, tokens.first)
said.firstAfter = await introspect(tokens.first)
const nobody = await as(holder, openid.None())
await openid.tokenRevocation(nobody, tokens.second)
said.secondAfter = await introspect(tokens.second)
await openid.tokenRevocation(nobody, tokens.second)
said.activeAfter = await introspect(tokens.active)
console.log(JSON.stringify(said))
