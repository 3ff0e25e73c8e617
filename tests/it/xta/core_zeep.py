# Author and reader of XTA 5.1.1 on Python's zeep, made of a description: WSDL BASE AUTHOR READER; keys in XTA_PKI.
import os, sys, uuid
import requests, zeep
from zeep import xsd
from zeep.transports import Transport

WSDL, BASE, AUTHOR, READER = sys.argv[1:]
CORE = "{https://xoev.de/transport/xta/core/3.1.1}"
PKI = os.environ.get("XTA_PKI", "")
session = requests.Session()
session.trust_env = False
session.cert = (f"{PKI}/client.pem", f"{PKI}/client.key")
session.verify = f"{PKI}/ca.pem"
client = zeep.Client(WSDL, transport=Transport(session=session))
ports = {}
for kind, path in [("core.transport.base", "base"), ("core.sender", "sender"), ("core.recipient", "recipient"), ("core.reader", "reader")]:
    binding = next(name for name, it in client.wsdl.bindings.items() if it.port_type.name.localname == kind)
    ports[path] = client.create_service(str(binding), f"{BASE}/{path}")

def element(name, **values):
    return client.get_element(CORE + name)(**values)

def id_(): return "ID_" + str(uuid.uuid4())
def party(who): return element("Party", Identifier={"_value_1": who, "identifierScheme": "xoev"})
def named(who): return {"Identifier": {"_value_1": who, "identifierScheme": "xoev"}, "id": id_()}

def meta(message):
    return element("MessageMetaData", XTAMessageID={"_value_1": message, "id": id_()}, Reader=named(READER),
        Originators={"Author": named(AUTHOR)}, MessageSize=7, DeliveryAttributes={},
        Qualifier={"Service": "urn:dienst", "BusinessScenario": {"Undefined": "frei"},
                   "MessageType": {"_value_1": "0401", "messageSchema": "urn:s"}, "id": id_()},
        ServiceQuality={"Undefined": "keins", "id": id_()},
        MessageProperty=[{"Key": "k", "Value": "Wert & mehr", "id": id_()}])

def contents():
    return dict(Message={"_value_1": b"<a>\xc3\xa4</a>", "contentType": "application/xml", "id": id_()},
                Attachment=[{"_value_1": bytes(range(256)) * 9, "filename": "b.bin", "id": id_()}])

def answer(got): return getattr(got, "body", got)

def refused(name, call):
    try:
        call()
        print(name, "-> not refused")
    except zeep.exceptions.Fault as fault:
        detail = fault.detail[0]
        print(name, "->", detail.tag.split("}")[1], detail.find(".//code").text)

ours, theirs = [party(AUTHOR)], [party(READER)]
ports["base"].checkAccountActive(_soapheaders=ours)
print("checkAccountActive OK")
message = answer(ports["sender"].createMessageID(_soapheaders=ours))
message = getattr(message, "_value_1", message)
print("createMessageID", message)
found = answer(ports["sender"].lookupService(LookupService=[{"Reader": {"Identifier": {"_value_1": READER}}}], _soapheaders=ours))
found = getattr(found, "LookupServiceResult", found)
print("lookupService", found[0].IsServiceAvailableValue.ServiceIsAvailable)
ports["sender"].sendMessage(**contents(), _soapheaders=[meta(message), party(AUTHOR)])
print("sendMessage OK")
refused("duplicate", lambda: ports["sender"].sendMessage(**contents(), _soapheaders=[meta(message), party(AUTHOR)]))
listed = answer(ports["recipient"].getStatusList(OtherCriteria={"MaxMessages": 10}, _soapheaders=theirs))
listed = getattr(listed, "MessageMetaData", listed)
print("getStatusList", [it.XTAMessageID._value_1 == message for it in listed])
fetched = ports["recipient"].getMessage(XTAMessageID={"_value_1": message, "id": id_()}, _soapheaders=theirs)
got, sent = answer(fetched), contents()
print("getMessage", got.Message._value_1 == sent["Message"]["_value_1"], got.Attachment[0]._value_1 == sent["Attachment"][0]["_value_1"])
ports["recipient"].close(XTAMessageID={"_value_1": message, "id": id_()}, _soapheaders=theirs)
print("close OK")
report = answer(ports["base"].getTransportReport(message, id=id_(), _soapheaders=ours))
report = getattr(report, "TransportReport", report)
print("report status", report.MessageStatus.Status, report.MessageMetaData.MessageProperty[0].Value)
refused("refetch", lambda: ports["recipient"].getMessage(XTAMessageID={"_value_1": message, "id": id_()}, _soapheaders=theirs))
refused("blocked", lambda: ports["base"].checkAccountActive(_soapheaders=[party("gesperrt")]))
refused("synchronous", lambda: ports["sender"].sendMessageSync(**contents(), _soapheaders=[meta(answer(ports["sender"].createMessageID(_soapheaders=ours))._value_1), party(AUTHOR)]))
ports["reader"].deliverMessage(**contents(), _soapheaders=[meta("urn:de:xta:messageid:elsewhere:1"), party(READER)])
print("deliverMessage OK")
