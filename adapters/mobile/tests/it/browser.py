"""A push service and a browser, by `http_ece` and `cryptography` (PyPI): prints a subscription, checks one push, and says in a line of JSON what is
wrong with it and what it says."""
import base64
import json
import os
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
    # The clock of the test stands.
    wrong += [] if said['exp'] <= 1796025600 + 86400 else ['exp']
    return wrong + ([] if said['sub'].startswith('mailto:') else ['sub'])


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
        wrong += proof(self.headers['Authorization'], f'http://127.0.0.1:{self.server.server_port}')
        text = http_ece.decrypt(body, private_key=private, auth_secret=secret, version='aes128gcm').decode()
        print(json.dumps({'problems': wrong, 'text': text}), flush=True)
        self.send_response(201)
        self.end_headers()


server = HTTPServer(('127.0.0.1', 0), Service)
point = private.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
endpoint = f'http://127.0.0.1:{server.server_port}/push/1'
print(json.dumps({'endpoint': endpoint, 'keys': {'p256dh': encode(point), 'auth': encode(secret)}}), flush=True)
server.handle_request()
