#!/usr/bin/env python3
"""A client of OSCI-Transport 1.2 for the tests, made of lxml and cryptography alone: nothing of the gateway is in it.

usage: client.py URL KEYS     VERIFIER names the folder of verify.py. Each line of input is a command, a JSON array: the file STATE,
and one of
  issue WHO                      GetMessageId
  store FROM TO ID BYTES [bad]   StoreDelivery with an attachment of so many bytes; `bad` changes the body after signing
  forward FROM TO ID URL         ForwardDelivery to a passive recipient
  open WHO [clear]               InitDialog; the dialog is kept in the file STATE
  bring TO ID BYTES SIZE NUMBER...  PartialStoreDelivery within it: these chunks, of so many KB, of a delivery that always is the same;
                                 the number 0 asks which ones are there
  fetch [ID]                     FetchDelivery within it
  gather ID SIZE                 PartialFetchDelivery within it, until the whole is there
  cards [ID]                     FetchProcessCard within it
  exit                           ExitDialog
Prints a JSON object for each: what the answer says, and what the verifier found wrong with it."""
import base64, functools, hashlib, json, os, pathlib, sys, urllib.request
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

sys.path.insert(0, os.environ['VERIFIER'])
import verify as v

URL, KEYS = sys.argv[1:3]
STATE = None
NAMESPACES = {'ds': v.DS, 'osci': v.OSCI, 'soap': v.SOAP, 'xenc': v.XENC, 'xsi': 'http://www.w3.org/2001/XMLSchema-instance'}
DECLARED = ' '.join('xmlns:%s="%s"' % pair for pair in NAMESPACES.items())
NEXT = 'soap:actor="http://schemas.xmlsoap.org/soap/actor/next" soap:mustUnderstand="1"'
NONE = 'soap:actor="http://www.w3.org/2001/12/soap-envelope/actor/none" soap:mustUnderstand="1"'
LOCATION = v.SOAP + ' soap%s.xsd ' + v.DS + ' oscisig.xsd ' + v.XENC + ' oscienc.xsd'
OSCI2017 = 'http://xoev.de/transport/osci12/7'
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


@functools.cache
def private_key(name):
    """Opening one takes longer than everything else."""
    return v.private_key(os.path.join(KEYS, name))


def text(data):
    return base64.b64encode(data).decode()


def file(name):
    with open(os.path.join(KEYS, name), 'rb') as opened:
        return opened.read()


def certificate(part, who, kind):
    der = text(file('%s_%s.cer' % (who, kind)))
    return ('<osci:%s Id="%s_%s"><ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></osci:%s>'
            % (part, who, kind, der, part))


def package(xml, parts=(), boundary=None):
    boundary = boundary or b'MIME_boundary_' + os.urandom(16).hex().encode()
    lines = [b'MIME-Version: 1.0', b'Content-Type: Multipart/Related; boundary=' + boundary + b'; type=text/xml', b'',
             b'--' + boundary, b'Content-Type: text/xml; charset=UTF-8', b'Content-Transfer-Encoding: 8bit',
             b'Content-ID: <osci@message>', b'', xml]
    for name, data in parts:
        lines += [b'--' + boundary, b'Content-Type: application/octet-stream', b'Content-Transfer-Encoding: binary',
                  b'Content-ID: <' + name.encode() + b'>', b'', data]
    return b'\r\n'.join(lines + [b'--' + boundary + b'--', b''])


def reference(uri, digest, transform=''):
    return ('<ds:Reference URI="%s">%s<ds:DigestMethod Algorithm="%ssha256"/><ds:DigestValue>%s</ds:DigestValue></ds:Reference>'
            % (uri, transform, v.XENC, text(digest)))


def signed(envelope, who, parts):
    """The envelope with a ClientSignature over everything, behind the ControlBlock."""
    header, body = envelope.find(v.q(v.SOAP, 'Header')), envelope.find(v.q(v.SOAP, 'Body'))
    c14n = '<ds:Transforms><ds:Transform Algorithm="%s"/></ds:Transforms>' % v.C14N
    refs = [reference('#' + e.get('Id'), hashlib.sha256(v.c14n(e)).digest(), c14n) for e in [*header, body]]
    refs += [reference('cid:' + name, hashlib.sha256(data).digest()) for name, data in parts]
    block = ('<e %s><osci:ClientSignature Id="clientsignature" %s><ds:Signature><ds:SignedInfo>'
             '<ds:CanonicalizationMethod Algorithm="%s"/>'
             '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>%s</ds:SignedInfo>'
             '<ds:SignatureValue/><ds:KeyInfo><ds:RetrievalMethod URI="#%s_signature"/></ds:KeyInfo></ds:Signature>'
             '</osci:ClientSignature></e>' % (DECLARED, NEXT, v.C14N, ''.join(refs), who))
    header.insert(1, etree.fromstring(block)[0])
    info = header[1].find('.//' + v.q(v.DS, 'SignedInfo'))
    key = private_key(who + '_signature')
    value = key.sign(v.c14n(info), padding.PKCS1v15(), hashes.SHA256())
    header[1].find('.//' + v.q(v.DS, 'SignatureValue')).text = text(value)


def sealed(inner):
    """The package in an envelope of encryption for the intermediary."""
    key, iv, der = os.urandom(32), os.urandom(12), file('intermed_cipher.cer')
    wrapped = x509.load_der_x509_certificate(der).public_key().encrypt(key, OAEP)
    xml = ('<?xml version="1.0" encoding="UTF-8"?>\r\n\r\n<soap:Envelope %s xsi:schemaLocation="%s"><soap:Body>'
           '<xenc:EncryptedData MimeType="Multipart/Related"><xenc:EncryptionMethod Algorithm="%saes256-gcm">'
           '<i:IvLength xmlns:i="%s" Value="12"/></xenc:EncryptionMethod><ds:KeyInfo><xenc:EncryptedKey>'
           '<xenc:EncryptionMethod Algorithm="%srsa-oaep"><m:MGF xmlns:m="%s" Algorithm="%smgf1sha256"/>'
           '<ds:DigestMethod Algorithm="%ssha256"/></xenc:EncryptionMethod><ds:KeyInfo><ds:X509Data><ds:X509Certificate>%s'
           '</ds:X509Certificate></ds:X509Data></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>%s</xenc:CipherValue>'
           '</xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherReference URI="cid:osci_enc">'
           '<xenc:Transforms><ds:Transform Algorithm="%sbase64"/></xenc:Transforms></xenc:CipherReference></xenc:CipherData>'
           '</xenc:EncryptedData></soap:Body></soap:Envelope>')
    xml %= (DECLARED, LOCATION % 'MessageEncrypted', v.XENC11, v.OSCI128, v.XENC11, v.XENC11, v.XENC11, v.XENC, text(der),
            text(wrapped), v.DS)
    return package(xml.encode(), [('osci_enc', iv + AESGCM(key).encrypt(iv, inner, None))])


def order(kind, who, control, header='', body='', certificates='', parts=(), spoil=False, clear=False):
    """Posts an order and gives the answer's envelope with what is to be told of it."""
    xml = ('<soap:Envelope %s xsi:schemaLocation="%s"><soap:Header>%s<osci:DesiredLanguages Id="languages" %s LanguagesList="en"/>'
           '%s<osci:NonIntermediaryCertificates Id="certificates" %s>%s</osci:NonIntermediaryCertificates></soap:Header>'
           '<soap:Body Id="body">%s</soap:Body></soap:Envelope>'
           % (DECLARED, LOCATION % kind, control, NEXT, header, NONE, certificates, body))
    envelope = v.norm(etree.fromstring(xml))
    signed(envelope, who, parts)
    if spoil:
        envelope.find('.//' + v.q(v.OSCI, 'Subject')).text = 'Something else'
    inner = package(b'<?xml version="1.0" encoding="UTF-8"?>\r\n\r\n' + etree.tostring(envelope), parts)
    request = urllib.request.Request(URL, inner if clear else sealed(inner), {'Content-Type': 'text/xml'})
    with urllib.request.urlopen(request) as answer:
        kind, data = answer.headers['Content-Type'], answer.read()
    return judged(data, kind)


class Keys(dict):
    """The recipients' keys by certificate, each opened when it is asked for."""

    def __missing__(self, der):
        name = next(path.name[:-4] for path in pathlib.Path(KEYS).glob('*_cipher.cer') if path.read_bytes() == der)
        return name, private_key(name)


def judged(data, content_type):
    keys = Keys()
    findings, sound = v.message(data, keys)
    parts = v.mime(data)
    if b'soapMessageEncrypted.xsd' in parts[0][1]:
        envelope = etree.fromstring(parts[0][1].strip())
        cipher = envelope.find('.//' + v.q(v.XENC, 'EncryptedData'))
        wrapped = cipher.find('.//' + v.q(v.XENC, 'EncryptedKey'))
        own = keys[v.b64(wrapped.find('.//' + v.q(v.DS, 'X509Certificate')).text)][1]
        algorithm = cipher.find(v.q(v.XENC, 'EncryptionMethod')).get('Algorithm')
        parts = v.mime(v.sym(algorithm, v.unwrap_key(wrapped, own), v.ivlen(cipher), v.part_bytes(*parts[1])))
    envelope = v.norm(etree.fromstring(parts[0][1].strip()))
    codes = [e.text for e in envelope.iterfind('.//' + v.q(v.OSCI, 'Code'))]
    card = lambda it, name: it.findtext('.//' + v.q(v.OSCI, name) + '/' + v.q(v.OSCI, 'Plain'))
    cards = envelope.iterfind('.//' + v.q(v.OSCI, 'ProcessCardBundle'))
    told = {
        'type': content_type, 'sound': sound, 'findings': findings, 'codes': codes,
        'signed': any(found.startswith('SupplierSignature ok by intermed_signature') for found in findings),
        'cards': [{'id': v.b64(it.findtext(v.q(v.OSCI, 'MessageId'))).decode(), 'creation': card(it, 'Creation'),
                   'forwarding': card(it, 'Forwarding'), 'reception': card(it, 'Reception'),
                   'subject': it.findtext('.//' + v.q(v.OSCI, 'Subject')),
                   'inspections': len(it.findall('.//' + v.q(v.OSCI, 'Inspection')))} for it in cards],
        'attachments': [hashlib.sha256(v.part_bytes(*part)).hexdigest() for part in parts[1:]],
        'parts': [v.part_bytes(*part) for part in parts[1:]],
    }
    return envelope, told


def challenge():
    return '<osci:Challenge>%s</osci:Challenge>' % text(os.urandom(12))


def implicit():
    return '<osci:ControlBlock Id="control" %s SequenceNumber="0">%s</osci:ControlBlock>' % (NEXT, challenge())


def explicit(dialog):
    return ('<osci:ControlBlock Id="control" %s ConversationId="%s" SequenceNumber="%d"><osci:Response>%s</osci:Response>%s'
            '</osci:ControlBlock>' % (NEXT, dialog['conversation'], dialog['next'], dialog['challenge'], challenge()))


def rule(ids):
    named = ''.join('<osci:MessageId>%s</osci:MessageId>' % text(i.encode()) for i in ids)
    return '<osci:SelectionRule>%s</osci:SelectionRule>' % named if ids else ''


def own(who):
    return (certificate('CipherCertificateOriginator', who, 'cipher'), certificate('SignatureCertificateOriginator', who, 'signature'))


def issue(who):
    envelope, told = order('GetMessageId', who, implicit(), body='<osci:getMessageId/>', certificates=''.join(own(who)))
    found = envelope.find('.//' + v.q(v.OSCI, 'MessageId'))
    told['id'] = None if found is None else v.b64(found.text).decode()
    return told


def store(sender, receiver, message_id, size, spoil=''):
    return bring('StoreDelivery', 'storeDelivery', '', sender, receiver, message_id, size, spoil == 'bad')


def forward(sender, receiver, message_id, url):
    return bring('ForwardDelivery', 'forwardDelivery', '<osci:ContentReceiver URI="%s"/>' % url, sender, receiver, message_id, 10)


def bring(kind, element, address, sender, receiver, message_id, size, spoil=False):
    wishes = ''.join('<osci:QualityOfTimestamp Id="%s" %s Service="%s" Quality="plain"/>' % (s, NEXT, s) for s in ('creation', 'reception'))
    header = wishes + ('<osci:%s Id="order" %s>%s<osci:MessageId>%s</osci:MessageId><osci:Subject>Bauakte &amp; Plan</osci:Subject>'
                       '</osci:%s>' % (element, NEXT, address, text(message_id.encode()), element))
    cipher, signature = own(sender)
    body = ('<osci:ContentPackage><osci:ContentContainer Id="container"><osci:Content Id="content" href="cid:plan.bin"/>'
            '</osci:ContentContainer></osci:ContentPackage>')
    data = os.urandom(int(size))
    certificates = cipher + certificate('CipherCertificateAddressee', receiver, 'cipher') + signature
    _, told = order(kind, sender, implicit(), header, body, certificates, [('plan.bin', data)], spoil)
    told['sent'] = hashlib.sha256(data).hexdigest()
    return told


FEATURES = ('<p:FeatureDescription xmlns:p="%s" Id="features"><p:SupportedFeatures><p:Feature Key="PartialMessageTransmission" '
            'Version="1.8.0"/></p:SupportedFeatures></p:FeatureDescription>' % OSCI2017)


def whole(sender, receiver, message_id, size):
    """The package of a StoreDelivery, neither signed nor encrypted, and the digest of what is in it. Made twice, it is the same."""
    data = hashlib.shake_256(message_id.encode()).digest(int(size))
    wishes = ''.join('<osci:QualityOfTimestamp Id="%s" %s Service="%s" Quality="plain"/>' % (s, NEXT, s) for s in ('creation', 'reception'))
    cipher, signature = own(sender)
    xml = ('<soap:Envelope %s xsi:schemaLocation="%s"><soap:Header><osci:ControlBlock Id="control" %s SequenceNumber="0"><osci:Challenge>'
           'AAAA</osci:Challenge></osci:ControlBlock><osci:DesiredLanguages Id="languages" %s LanguagesList="en"/>%s'
           '<osci:storeDelivery Id="order" %s><osci:MessageId>%s</osci:MessageId><osci:Subject>Plan in chunks</osci:Subject>'
           '</osci:storeDelivery><osci:NonIntermediaryCertificates Id="certificates" %s>%s</osci:NonIntermediaryCertificates>'
           '</soap:Header><soap:Body Id="body"><osci:ContentPackage><osci:ContentContainer Id="container"><osci:Content Id="content" '
           'href="cid:plan.bin"/></osci:ContentContainer></osci:ContentPackage></soap:Body></soap:Envelope>'
           % (DECLARED, LOCATION % 'StoreDelivery', NEXT, NEXT, wishes, NEXT, text(message_id.encode()), NONE,
              cipher + certificate('CipherCertificateAddressee', receiver, 'cipher') + signature))
    boundary = b'MIME_boundary_' + hashlib.sha256(message_id.encode()).hexdigest().encode()
    return package(xml.encode(), [('plan.bin', data)], boundary), hashlib.sha256(data).hexdigest()


def bring_chunks(receiver, message_id, size, chunk, *numbers):
    with open(STATE) as kept:
        who = json.load(kept)['who']
    blob, sent = whole(who, receiver, message_id, size)
    bytes_of = int(chunk) * 1024
    total = -(-len(blob) // bytes_of)
    told = None
    for number in map(int, numbers):
        if number:
            what = ('<p:ChunkInformation ChunkNumber="%d" ChunkSize="%s" TotalChunkNumbers="%d" TotalMessageSize="%d"/>'
                    % (number, chunk, total, len(blob) // 1024))
            parts = [('ChunkBlobStoreDelivery', blob[(number - 1) * bytes_of:number * bytes_of])]
            content = ('<osci:ContentContainer Id="ChunkContentContainer"><osci:Content Id="ChunkContent" '
                       'href="cid:ChunkBlobStoreDelivery"/></osci:ContentContainer>')
        else:
            what, parts, content = '<p:InfoOnly/>', (), ''
        header = ('<osci:QualityOfTimestamp Id="creation" %s Service="creation" Quality="plain"/><p:partialStoreDelivery xmlns:p="%s" '
                  'Id="order" %s><osci:MessageId>%s</osci:MessageId>%s</p:partialStoreDelivery>%s'
                  % (NEXT, OSCI2017, NEXT, text((message_id + '_Partial').encode()), what, FEATURES))
        body = '<osci:ContentPackage>%s</osci:ContentPackage>' % content
        cipher, _ = own(who)
        extra = cipher + certificate('CipherCertificateAddressee', receiver, 'cipher')
        envelope, told = within_with('PartialStoreDelivery', header, body, extra, parts)
        block = envelope.find('.//{%s}responseToPartialStoreDelivery' % OSCI2017)
        inside = block.find('{%s}InsideFeedback' % OSCI2017)
        told['inside'] = [] if inside is None else [e.text for e in inside.iterfind('.//' + v.q(v.OSCI, 'Code'))]
        told['codes'] = [e.text for e in block.find(v.q(v.OSCI, 'Feedback')).iterfind('.//' + v.q(v.OSCI, 'Code'))]
        told['chunks'] = dict(block.find('{%s}ChunkInformation' % OSCI2017).attrib)
    return dict(told, sent=sent, total=total)


def gather(message_id, chunk):
    whole, number = b'', 1
    while True:
        received = ' '.join(map(str, range(1, number))) or '-1'
        header = ('<p:partialFetchDelivery xmlns:p="%s" Id="order" %s>%s<p:ChunkInformation ChunkNumber="%d" ChunkSize="%s" '
                  'ReceivedChunks="%s"/></p:partialFetchDelivery>%s' % (OSCI2017, NEXT, rule([message_id]), number, chunk, received, FEATURES))
        envelope, told = within_with('PartialFetchDelivery', header, '', '', ())
        information = envelope.find('.//{%s}ChunkInformation' % OSCI2017)
        if not told['sound'] or information is None or information.get('TotalChunkNumbers') is None:
            return told
        whole += told.pop('parts')[0]
        number += 1
        if number > int(information.get('TotalChunkNumbers')):
            break
    inner = v.mime(whole)
    told['orders'] = number - 1
    told['whole'] = hashlib.sha256(whole).hexdigest()
    told['inner'] = [hashlib.sha256(v.part_bytes(*part)).hexdigest() for part in inner[1:]]
    answer = etree.fromstring(inner[0][1].strip())
    told['kind'] = [etree.QName(e).localname for e in answer.find(v.q(v.SOAP, 'Header'))]
    told['subject'] = answer.findtext('.//' + v.q(v.OSCI, 'Subject'))
    return told


def remember(envelope, dialog):
    block = envelope.find('.//' + v.q(v.OSCI, 'ControlBlock'))
    if block is None:
        return
    dialog.update(conversation=block.get('ConversationId'), challenge=block.findtext(v.q(v.OSCI, 'Challenge')))
    with open(STATE, 'w') as kept:
        json.dump(dialog, kept)


def begin(who, clear=''):
    control = '<osci:ControlBlock Id="control" %s>%s</osci:ControlBlock>' % (NEXT, challenge())
    envelope, told = order('InitDialog', who, control, body='<osci:initDialog/>', certificates=''.join(own(who)), clear=clear == 'clear')
    remember(envelope, {'who': who, 'next': 0})
    return told


def within(kind, header='', body=''):
    return within_with(kind, header, body, '', ())[1]


def within_with(kind, header, body, certificates, parts):
    with open(STATE) as kept:
        dialog = json.load(kept)
    certificates += own(dialog['who'])[1]
    envelope, told = order(kind, dialog['who'], explicit(dialog), header, body, certificates, parts)
    remember(envelope, dict(dialog, next=dialog['next'] + 1))
    return envelope, told


def fetch(*ids):
    return within('FetchDelivery', '<osci:fetchDelivery Id="fetch" %s>%s</osci:fetchDelivery>' % (NEXT, rule(ids)))


def cards(*ids):
    return within('FetchProcessCard', body='<osci:fetchProcessCard>%s</osci:fetchProcessCard>' % rule(ids))


def leave():
    return within('ExitDialog', body='<osci:exitDialog/>')


COMMANDS = {'bring': bring_chunks, 'gather': gather, 'issue': issue, 'store': store, 'forward': forward, 'open': begin, 'fetch': fetch, 'cards': cards, 'exit': leave}
for line in sys.stdin:
    STATE, command, *arguments = json.loads(line)
    answered = COMMANDS[command](*arguments)
    answered.pop('parts', None)
    print(json.dumps(answered), flush=True)
