# Reads answers (HTTP, bare or as a package) without any code of ours. For each: a line with the verdict, then each element with
# its attributes and text. Parts are put where they are named, as base64.
import base64, email, re, sys
from lxml import etree

SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
XOP = "{http://www.w3.org/2004/08/xop/include}Include"

def envelope(data):
    head, body = data.split(b"\r\n\r\n", 1)
    kind = re.search(rb"(?im)^content-type:\s*(.*?)\r?$", head).group(1)
    if not kind.lower().startswith(b"multipart/related"):
        assert kind.lower().startswith(b"application/soap+xml"), kind
        return etree.fromstring(body)
    parts = email.message_from_bytes(b"Content-Type: " + kind + b"\r\nMIME-Version: 1.0\r\n\r\n" + body).get_payload()
    assert parts[0].get_content_type() == "application/xop+xml"
    root = etree.fromstring(parts[0].get_payload(decode=True))
    rest = {part["Content-ID"].strip("<>"): part.get_payload(decode=True) for part in parts[1:]}
    for include in list(root.iter(XOP)):
        content = rest.pop(include.get("href")[len("cid:"):])
        parent = include.getparent()
        parent.remove(include)
        parent.text = base64.b64encode(content).decode()
    assert not rest, "a part that nothing names"
    return root

def verdict(root):
    fault = root.find(f"{SOAP}Body/{SOAP}Fault")
    if fault is None:
        return "answered"
    code = [value.text.split(":")[-1] for value in fault.find(f"{SOAP}Code").iter(f"{SOAP}Value")]
    numbers = [element.text for element in fault.iter("code")]
    return " ".join(["/".join(code)] + numbers)

for name in sys.argv[1:]:
    root = envelope(open(name, "rb").read())
    print("==", verdict(root))
    for element in root.iter(etree.Element):
        attributes = "".join(f" {key}={value}" for key, value in sorted(element.attrib.items()))
        print(etree.QName(element).localname + attributes + " | " + (element.text or "").strip().replace("\n", " "))
