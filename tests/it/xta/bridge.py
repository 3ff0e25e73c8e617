"""An author at one server of XTA and a reader at another, by Python's zeep. bridge.py SENDERS COMMAND BASE ...; the first
argument is the folder of xta_zeep.py. What is found is printed as JSON.

  send BASE AUTHOR READER FILE...   report BASE AUTHOR ID   read BASE READER
"""
import argparse, json, os, sys, time

sys.path.insert(0, sys.argv[1])
import xta_zeep as z

META = '{' + z.META + '}'


def actor(base):
    pki = os.environ['XTA_PKI'].rstrip('/') + '/'
    return z.Actor(argparse.Namespace(
        base=base, mgmt=None, send=None, box=None, cert=pki + 'client.pem', key=pki + 'client.key', ca=pki + 'ca.pem',
        type='xoev', category='dbs:testumgebung', mtom=False, no_wsa=False, dump=None))


def said(envelope):
    """What the metadata in an envelope say: texts and attributes, in the order of the document, but what a schema presupposes."""
    found = []
    for element in envelope.find('.//' + META + 'MessageMetaData').iter():
        name, text = z.etree.QName(element).localname, (element.text or '').strip()
        found += [[name, text]] if text else []
        found += [[name + '@' + key, value] for key, value in sorted(element.attrib.items()) if value != 'false']
    return found


def told(actor):
    return said(actor.c.plugins[-1].last_received['envelope'])


def send(x, author, reader, *files):
    contents = []
    for name in files:
        data = open(name, 'rb').read()
        contents.append(z.content(data, 'application/zip', os.path.basename(name)))
    mid = x.create_id(author)
    meta = x.meta(mid, author, reader, sum(len(it['_value_1']) for it in contents))
    x.send(meta, contents[0], contents[1:])
    return {'id': mid, 'meta': said(x.c.plugins[-1].last_sent['envelope'])}


def report(x, author, mid):
    found = x.report(author, mid)
    root = x.c.plugins[-1].last_received['envelope']
    reasons = [it.text for it in root.iter() if z.etree.QName(it).localname == 'Reason']
    return {'status': z.dig(found, 'Status'), 'reasons': reasons, 'meta': told(x)}


def read(x, reader):
    for _ in range(300):
        listed = x.list(reader)
        if x.box_status()[0] == 'ItemsPending':
            break
        time.sleep(0.2)
    listed = told(x)
    mid = [value for name, value in listed if name == 'MessageID'][0]
    got = x.fetch(reader, mid)
    meta = told(x)
    message = z.dig(got['body'], 'Message')
    contents = [message] + (z.dig(got['body'], 'Attachment') or [])
    rid = z.dig(got['header'], 'MsgBoxRequestID')
    x.close(reader, mid, rid)
    bytes_of = [[it['filename'], it['_value_1'].hex()] for it in contents]
    return {'id': mid, 'listed': listed, 'meta': meta, 'contents': bytes_of}


command, base, *rest = sys.argv[2:]
print(json.dumps({'send': send, 'report': report, 'read': read}[command](actor(base), *rest)))
