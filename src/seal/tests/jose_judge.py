# Judges what the JOSE module makes, and makes what it has to judge, with jwcrypto. Reads one JSON object, writes one.
import json
import sys

from jwcrypto import jwe, jwk, jws

task = json.load(sys.stdin)
key = jwk.JWK(**task["key"])
if task["do"] == "decrypt":
    token = jwe.JWE()
    token.deserialize(task["token"], key)
    answer = {"plain": token.payload.decode(), "header": token.jose_header}
elif task["do"] == "encrypt":
    header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": task["kid"], "cty": "application/json"}
    if task.get("zip"):
        header["zip"] = "DEF"
    token = jwe.JWE(task["plain"].encode(), json.dumps(header), recipient=key)
    answer = {"token": token.serialize(compact=True)}
elif task["do"] == "verify":
    token = jws.JWS()
    token.deserialize(task["token"], key)
    answer = {"payload": token.payload.decode(), "header": token.jose_header}
else:
    token = jws.JWS(task["payload"].encode())
    token.add_signature(key, alg=task["header"]["alg"], protected=json.dumps(task["header"]))
    answer = {"token": token.serialize(compact=True)}
json.dump(answer, sys.stdout)
