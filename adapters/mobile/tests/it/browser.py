"""A push service and a browser, by `http_ece` and `cryptography` (PyPI): prints a subscription, checks one push, and says in a line of JSON what is
wrong with it and what it says. With a certificate, a key and a folder (browser.py CERT KEY FOLDER) it does so by https until it is ended, and answers with
the status that FOLDER/status names, if there is such a file."""
import base64
import json
import os
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import http_ece
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils


def decode(text):
    return base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def proof(value, audience):
    """What is wrong with a proof of who sends (RFC 8292)."""
    fields = dict(part.strip().split('=', 1) for part in value.removeprefix('vapid ').split(','))
    head, claims, signature = fields['t'].split('.')
    raw, said = decode(signature), json.loads(decode(claims))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decode(fields['k']))
    numbers = (int.from_bytes(raw[:32], 'big'), int.from_bytes(raw[32:], 'big'))
    key.verify(utils.encode_dss_signature(*numbers), f'{head}.{claims}'.encode(), ec.ECDSA(hashes.SHA256()))
    wrong = [] if json.loads(decode(head))['alg'] == 'ES256' else ['alg']
    wrong += [] if said['aud'] == audience else ['aud']
    # Of a single push the clock of the test stands.
    now = time.time() if certificate else 1796025600
    wrong += [] if said['exp'] <= now + 86400 else ['exp']
    return wrong + ([] if said['sub'].startswith('mailto:') else ['sub'])


def status():
    try:
        with open(os.path.join(certificate[2], 'status')) as file:
            return int(file.read())
    except (OSError, IndexError):
        return 201


certificate = sys.argv[1:]
scheme = 'https' if certificate else 'http'
private = ec.generate_private_key(ec.SECP256R1())
secret = os.urandom(16)


class Service(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        wrong = [] if self.headers['TTL'].isdigit() else ['ttl']
        wrong += [] if self.headers['Content-Encoding'] == 'aes128gcm' else ['encoding']
        wrong += [] if len(body) <= 4096 else ['length']
        wrong += proof(self.headers['Authorization'], f'{scheme}://127.0.0.1:{self.server.server_port}')
        text = http_ece.decrypt(body, private_key=private, auth_secret=secret, version='aes128gcm').decode()
        answer = status()
        print(json.dumps({'problems': wrong, 'text': text, 'status': answer}), flush=True)
        self.send_response(answer)
        self.send_header('Content-Length', '0')
        self.end_headers()


server = HTTPServer(('127.0.0.1', 0), Service)
if certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate[:2])
    server.socket = context.wrap_socket(server.socket, server_side=True)
point = private.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
endpoint = f'{scheme}://127.0.0.1:{server.server_port}/push/1'
print(json.dumps({'endpoint': endpoint, 'keys': {'p256dh': encode(point), 'auth': encode(secret)}}), flush=True)
if certificate:
    server.serve_forever()
server.handle_request()
