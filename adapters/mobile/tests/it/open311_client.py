"""The client `three` (PyPI) against a server of ours, and its answers against the JSON schemas of GeoReport v2: open311_client.py URL FOLDER."""
import itertools
import json
import pathlib
import sys
import urllib.request
from xml.etree import ElementTree

itertools.ifilter = filter  # `three` was written for Python 2
from jsonschema import Draft7Validator
from three import Three

url, folder = sys.argv[1], pathlib.Path(sys.argv[2])
schemas = {name: json.load(open(folder / (name + '.json'))) for name in ('request', 'service', 'service-definition')}


def valid(name, value):
    Draft7Validator(schemas[name]).validate(value)


client = Three(url, api_key='testkey', format='json')
services = client.services()
assert [it['service_code'] for it in services] == ['001', 'POT', 'BIN'], services
for service in services:
    valid('service', service)
definition = client.services('POT')
definition = definition[0] if isinstance(definition, list) else definition
valid('service-definition', definition)
discovery = client.discovery()
assert 'text/xml' in discovery['endpoints'][0]['formats'], discovery
made = client.post('POT', lat=54.09, long=12.14, description='Schlagloch', **{'attribute[depth]': '100'})
identifier = made[0]['service_request_id']
report = client.request(identifier)
assert report[0]['service_request_id'] == identifier, report
for request in client.requests():
    valid('request', request)
refused = client.post('POT', lat=54.09, long=12.14)
assert refused[0]['code'] == 400, refused
for path in ('discovery', 'services', 'services/POT', 'requests', 'requests/' + identifier):
    ElementTree.fromstring(urllib.request.urlopen(url + path + '.xml').read())
