"""A WebDAV server without any code of ours: wsgidav over a folder. `wsgidav_server.py FOLDER` prints its port and serves until it is killed
or its standard input ends. User `gateway`, password `geheim`."""

import sys
import threading

from cheroot import wsgi
from wsgidav.fs_dav_provider import FilesystemProvider
from wsgidav.wsgidav_app import WsgiDAVApp

app = WsgiDAVApp({
    "provider_mapping": {"/dav": FilesystemProvider(sys.argv[1])},
    "simple_dc": {"user_mapping": {"*": {"gateway": {"password": "geheim"}}}},
    "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
    "verbose": 0,
    "logging": {"enable": False},
})
server = wsgi.Server(("127.0.0.1", 0), app, numthreads=4)
server.prepare()
print(server.bind_addr[1], flush=True)
threading.Thread(target=server.serve, daemon=True).start()
sys.stdin.read()
