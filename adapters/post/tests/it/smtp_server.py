"""A mail server (aiosmtpd) that keeps what it is given in a folder, for the tests of post that goes out by e-mail.
usage: smtp_server.py FOLDER MODE [CERT KEY]   modes: plain, tls, starttls, full (452), refuse (550), drop (after the content)
Prints its port; each e-mail is FOLDER/N.eml, its recipient FOLDER/N.to."""
import asyncio, os, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

folder, mode, *pair = sys.argv[1:]
context = None
if pair:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
count = 0


class Keeper:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if mode == 'full':
            return '452 later'
        if mode == 'refuse':
            return '550 nobody of this name'
        envelope.rcpt_tos.append(address)
        return '250 OK'

    async def handle_DATA(self, server, session, envelope):
        global count
        count += 1
        if mode == 'drop':
            server.transport.abort()
            return '250 OK'
        with open(os.path.join(folder, f'{count}.eml'), 'wb') as file:
            file.write(envelope.original_content)
        with open(os.path.join(folder, f'{count}.to'), 'w') as file:
            file.write(','.join(envelope.rcpt_tos))
        return '250 OK'


def password(server, session, envelope, mechanism, data):
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (b'amt', b'geheim')
    return AuthResult(success=right, handled=False)


def protocol():
    return SMTP(Keeper(), hostname='mx.example', authenticator=password, auth_require_tls=False,
                tls_context=context if mode == 'starttls' else None, require_starttls=mode == 'starttls')


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, '127.0.0.1', 0, ssl=context if mode == 'tls' else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
