// A push service and a browser, by npm's `web-push` and its `http_ece`: browser.js FOLDER prints a subscription, checks one push, and says in a line
// of JSON what is wrong with it and what it says. What `web-push` itself sends to that browser must read the same way.
'use strict'
const crypto = require('crypto')
const http = require('http')
const path = require('path')
const modules = path.join(process.argv[2], 'node_modules')
const ece = require(path.join(modules, 'http_ece'))
const webPush = require(path.join(modules, 'web-push'))

const browser = crypto.createECDH('prime256v1')
const point = browser.generateKeys('base64url')
const auth = crypto.randomBytes(16).toString('base64url')
const read = body => ece.decrypt(body, { version: 'aes128gcm', privateKey: browser, authSecret: auth }).toString()

// What is wrong with a proof of who sends (RFC 8292).
function proof (value, audience) {
  const [, token, key] = value.match(/^vapid t=([^,]+), ?k=(.+)$/)
  const [head, claims, signature] = token.split('.')
  const raw = Buffer.from(key, 'base64url')
  const jwk = { kty: 'EC', crv: 'P-256', x: raw.toString('base64url', 1, 33), y: raw.toString('base64url', 33) }
  const known = { key: crypto.createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' }
  const wrong = []
  if (!crypto.verify('sha256', `${head}.${claims}`, known, Buffer.from(signature, 'base64url'))) wrong.push('signature')
  const said = JSON.parse(Buffer.from(claims, 'base64url'))
  if (said.aud !== audience) wrong.push('aud')
  if (!said.sub.startsWith('mailto:')) wrong.push('sub')
  return wrong
}

const server = http.createServer((request, response) => {
  const pieces = []
  request.on('data', piece => pieces.push(piece))
  request.on('end', () => {
    const origin = `http://127.0.0.1:${server.address().port}`
    const problems = proof(request.headers.authorization, origin)
    if (request.headers['content-encoding'] !== 'aes128gcm') problems.push('encoding')
    const theirs = webPush.encrypt(point, auth, 'x', 'aes128gcm')
    if (read(theirs.cipherText) !== 'x') problems.push('web-push')
    console.log(JSON.stringify({ problems, text: read(Buffer.concat(pieces)) }))
    response.writeHead(201).end(() => process.exit(0))
  })
})
server.listen(0, '127.0.0.1', () => {
  const endpoint = `http://127.0.0.1:${server.address().port}/push/1`
  console.log(JSON.stringify({ endpoint, keys: { p256dh: point, auth } }))
})
