//! The table: whoever asks, what for, and the verdict.

use super::super::{AUTHOR, READER};

/// A party of another account.
pub(super) const OTHER: &str = "ags:11111111";

/// A request that is wrong.
pub(super) struct Row {
    pub(super) name: String,
    /// The certificate that is shown.
    pub(super) who: Option<&'static str>,
    pub(super) port: &'static str,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
    /// Code of SOAP with subcodes, and that of XTA.
    pub(super) verdict: &'static str,
}

/// Message ids that were issued.
pub(super) struct Used {
    /// To the author, not used.
    pub(super) fresh: String,
    /// To the author, used: the message waits in the reader's box.
    pub(super) sent: String,
    /// To another account.
    pub(super) foreign: String,
}

/// A port with the actions that are asked for.
struct Act(&'static str, &'static str);

const CHECK: Act = Act("management", "http://www.xta.de/XTA/CheckAccountActive");
const CREATE: Act = Act("management", "http://www.xta.de/XTA/CreateMessageID");
const REPORT: Act = Act("management", "http://www.xta.de/XTA/GetTransportReport");
const CANCEL: Act = Act("management", "http://www.xta.de/XTA/CancelMessage");
const LOOKUP: Act = Act("management", "http://www.xta.de/XTA/IsServiceAvailable");
const SEND: Act = Act("send", "http://www.xta.de/XTA/SendMessage");
const SYNC: Act = Act("send", "http://www.xta.de/XTA/SendMessageSync");
const LIST: Act =
    Act("msgbox", "http://www.osci.eu/ws/2008/05/transport/urn/messageTypes/MsgBoxStatusListRequest");
const FETCH: Act =
    Act("msgbox", "http://www.osci.eu/ws/2008/05/transport/urn/messageTypes/MsgBoxFetchRequest");
const NEXT: Act =
    Act("msgbox", "http://www.osci.eu/ws/2008/05/transport/urn/messageTypes/MsgBoxGetNextMsgRequest");
const CLOSE: Act =
    Act("msgbox", "http://www.osci.eu/ws/2008/05/transport/urn/messageTypes/MsgBoxCloseRequest");

/// A container with a letter.
const LETTER: &str = "<x:GenericContentContainer><x:ContentContainer><x:Message contentType=\"text/plain\">\
                      SGFsbG8=</x:Message></x:ContentContainer></x:GenericContentContainer>";

impl Row {
    /// Whether whoever asks has an account, so that there is a tenant whose audit tells of it.
    pub(super) fn is_noted(&self) -> bool {
        !matches!(self.who, None | Some("x" | "server"))
    }

    fn named(self, name: &str, verdict: &'static str) -> Self {
        Row { name: name.to_owned(), verdict, ..self }
    }

    fn shown(self, who: Option<&'static str>) -> Self {
        Row { who, ..self }
    }

    /// The same with another passage in its body.
    pub(super) fn with(self, from: &str, to: &str) -> Self {
        let body = String::from_utf8(self.body).unwrap();
        assert!(body.contains(from), "{from}");
        Row { body: body.replacen(from, to, 1).into_bytes(), ..self }
    }

    fn of_type(self, content_type: &str) -> Self {
        Row { content_type: content_type.to_owned(), ..self }
    }

    /// As a package whose only part is the envelope.
    fn packed(self, action: &str) -> Self {
        let head = "--b\r\nContent-Type: application/xop+xml; charset=utf-8; type=\"application/soap+xml\"\r\n\
                    Content-ID: <root@test>\r\n\r\n";
        let body = [head.as_bytes(), &self.body, b"\r\n--b--\r\n"].concat();
        let content_type = format!(
            "multipart/related; boundary=b; type=\"application/xop+xml\"; start=\"<root@test>\"; \
             start-info=\"application/soap+xml; action=\\\"{action}\\\"\""
        );
        Row { body, ..self }.of_type(&content_type)
    }
}

fn addressing(action: &str) -> String {
    format!(
        "<wsa:Action>{action}</wsa:Action><wsa:MessageID>urn:uuid:7</wsa:MessageID>\
         <wsa:To>https://xta.example.test/</wsa:To>"
    )
}

fn envelope(blocks: &str, body: &str) -> Vec<u8> {
    format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:wsa=\"http://www.w3.org/2005/08/addressing\" xmlns:x=\"http://xoev.de/transport/xta/211\" \
         xmlns:o=\"http://www.osci.eu/ws/2008/05/transport\" \
         xmlns:m=\"http://www.osci.eu/ws/2014/10/transport\"><s:Header>{blocks}</s:Header>\
         <s:Body>{body}</s:Body></s:Envelope>"
    )
    .into_bytes()
}

fn soap_xml(action: &str) -> String {
    format!("application/soap+xml; charset=utf-8; action=\"{action}\"")
}

fn party(id: &str) -> String {
    format!("<m:Identifier type=\"xoev\">{id}</m:Identifier>")
}

/// A request of the client with these blocks behind those of WS-Addressing.
fn ask(act: &Act, blocks: &str, body: &str) -> Row {
    Row {
        name: String::new(),
        who: Some("client"),
        port: act.0,
        content_type: soap_xml(act.1),
        body: envelope(&format!("{}{blocks}", addressing(act.1)), body),
        verdict: "",
    }
}

/// The same as somebody.
fn ask_as(act: &Act, id: &str, body: &str) -> Row {
    ask(act, &format!("<m:Author>{}</m:Author>", party(id)), body)
}

/// Metadata of a letter from one party to the reader.
fn meta(id: &str, author: &str, reader: &str) -> String {
    format!(
        "<m:MessageMetaData><m:DeliveryAttributes/><m:Originators><m:Author>{}</m:Author></m:Originators>\
         <m:Destinations><m:Reader>{}</m:Reader></m:Destinations><m:MsgIdentification>\
         <wsa:MessageID>{id}</wsa:MessageID></m:MsgIdentification><m:Qualifier><m:Subject>Brief</m:Subject>\
         <m:Service>urn:dienst</m:Service><m:BusinessScenario><m:Undefined>frei</m:Undefined></m:BusinessScenario>\
         <m:MessageType listURI=\"urn:l\" listVersionID=\"1\" payloadSchema=\"urn:s\"><code>brief</code></m:MessageType>\
         </m:Qualifier></m:MessageMetaData>",
        party(author),
        party(reader)
    )
}

/// A message that is as it should be.
pub(super) fn sent(id: &str) -> Row {
    ask(&SEND, &meta(id, AUTHOR, READER), LETTER)
}

/// A message id for a party.
pub(super) fn created(who: &'static str, party: &str) -> Row {
    ask_as(&CREATE, party, "").shown(Some(who))
}

/// Everything that is wrong.
pub(super) fn rows(used: &Used) -> Vec<Row> {
    let parts =
        [callers(used), soap(), wsa(), packages(used), metadata(used), contents(used), requests(used)];
    parts.into_iter().flatten().collect()
}

/// Who may not.
fn callers(used: &Used) -> Vec<Row> {
    let check = |party: &str| ask_as(&CHECK, party, "");
    let send = |author: &str, reader: &str| ask(&SEND, &meta(&used.fresh, author, reader), LETTER);
    vec![
        check(AUTHOR).shown(None).named("no certificate", "Sender 9010"),
        check(AUTHOR).shown(Some("x")).named("a certificate that nobody trusts", "Sender 9010"),
        check(AUTHOR).shown(Some("expired")).named("a certificate that has ended", "Sender 9010"),
        check(AUTHOR).shown(Some("revoked")).named("a revoked certificate", "Sender 9010"),
        check(AUTHOR).shown(Some("server")).named("a certificate without account", "Sender 9012"),
        send(AUTHOR, READER).shown(None).named("a message without certificate", "Sender 9010"),
        send(AUTHOR, READER).shown(Some("server")).named("a message without account", "Sender 9012"),
        check("gesperrt").named("a locked account", "Sender 9011"),
        check(OTHER).named("a party of another account", "Sender 9014"),
        check("ags:99999999").named("a party of nobody", "Sender 9014"),
        ask(&CHECK, "", "").named("no party of two", "Sender 9014"),
        send(OTHER, READER).named("a message in the name of another", "Sender 9014"),
        send(AUTHOR, "ags:00000000").named("a reader that nobody knows", "Sender 9022"),
        send(AUTHOR, "gesperrt").named("a reader that is no authority", "Sender 9022"),
        ask(&SEND, &meta(&used.fresh, OTHER, READER).replace("urn:dienst", "urn:anderer"), LETTER)
            .shown(Some("other"))
            .named("a service that is not booked", "Sender 9013"),
        ask(&SYNC, &meta(&used.fresh, AUTHOR, READER), LETTER)
            .named("a service that answers later", "Sender 9080"),
        ask(&SEND, &meta(&used.sent, AUTHOR, READER), LETTER).named("an id that was used", "Sender 9024"),
        ask(&SEND, &meta(&used.sent.to_uppercase(), AUTHOR, READER), LETTER)
            .named("an id that was used, in capitals", "Sender 9024"),
        ask(&SEND, &meta(&used.foreign, AUTHOR, READER), LETTER).named("an id of another", "Sender 9022"),
        ask(&SEND, &meta("urn:de:xta:messageid:x:1", AUTHOR, READER), LETTER)
            .named("an id that was never issued", "Sender 9022"),
    ]
}

/// What SOAP and HTTP forbid.
fn soap() -> Vec<Row> {
    let check = || ask_as(&CHECK, AUTHOR, "");
    let unknown = "<n:New xmlns:n=\"urn:n\" s:mustUnderstand=\"true\"/>";
    let large = format!("<n:New xmlns:n=\"urn:n\">{}</n:New>", "x".repeat(300_000));
    let cut = |row: Row| Row { body: row.body[..row.body.len() - 30].to_vec(), ..row };
    vec![
        Row { body: Vec::new(), ..check() }.named("nothing at all", "Sender"),
        Row { body: b"hello".to_vec(), ..check() }.named("no XML", "Sender"),
        cut(check()).named("cut off", "Sender"),
        check().of_type("application/json").named("another media type", "Sender"),
        check().of_type("application/soap+xml; charset=iso-8859-1").named("another character set", "Sender"),
        check().of_type("text/xml").named("the media type of SOAP 1.1", "VersionMismatch"),
        check()
            .with("http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/")
            .named("an envelope of SOAP 1.1", "VersionMismatch"),
        check().with("<s:Envelope", "<!DOCTYPE s:Envelope><s:Envelope").named("a DOCTYPE", "Sender"),
        check().with("https://xta.example.test/", "&xxe;").named("an entity", "Sender"),
        check().with("<s:Body></s:Body>", "").named("no body", "Sender"),
        check().with("<s:Body></s:Body>", "<s:Body/><s:Body/>").named("two bodies", "Sender"),
        check().with("<s:Header>", "<s:Header/><s:Header>").named("two headers", "Sender"),
        check().with("</s:Envelope>", "</s:Envelope><a/>").named("something behind the envelope", "Sender"),
        ask(&CHECK, unknown, "").named("a header that nobody understands", "MustUnderstand"),
        ask(&CHECK, &large, "").named("a header that is too large", "Sender"),
        ask_as(&CHECK, AUTHOR, "<x:a/>").named("a body where none is expected", "Sender 9022"),
        check().with("</m:Author>", "</m:Author><m:Author/>").named("two authors", "Sender 9022"),
        check().with(" type=\"xoev\"", "").named("an author without the type of its name", "Sender 9022"),
    ]
}

/// What WS-Addressing forbids.
fn wsa() -> Vec<Row> {
    let check = || ask_as(&CHECK, AUTHOR, "");
    let id = "<wsa:MessageID>urn:uuid:7</wsa:MessageID>";
    let elsewhere = "<wsa:ReplyTo><wsa:Address>https://elsewhere.example.test/</wsa:Address></wsa:ReplyTo>";
    let required = "Sender/MessageAddressingHeaderRequired";
    let twice = "Sender/InvalidAddressingHeader/InvalidCardinality";
    vec![
        check().with(&addressing(CHECK.1), "").named("no headers of WS-Addressing", required),
        check().with(id, "").named("no message id", required),
        check().with("<wsa:To>https://xta.example.test/</wsa:To>", "").named("no recipient", required),
        check().with(id, &id.repeat(2)).named("two message ids", twice),
        check()
            .with("<wsa:Action>", &format!("<wsa:Action>{}</wsa:Action><wsa:Action>", CHECK.1))
            .named("two actions", twice),
        check()
            .with(CHECK.1, LIST.1)
            .named("actions that differ", "Sender/InvalidAddressingHeader/ActionMismatch"),
        check()
            .of_type(&soap_xml("urn:new"))
            .with(CHECK.1, "urn:new")
            .named("an action that nobody has", "Sender/ActionNotSupported"),
        Row { port: "send", ..check() }.named("an action of another port", "Sender/ActionNotSupported"),
        ask(&CHECK, elsewhere, "")
            .named("an answer elsewhere", "Sender/InvalidAddressingHeader/OnlyAnonymousAddressSupported"),
    ]
}

/// What packages must not be.
fn packages(used: &Used) -> Vec<Row> {
    let packed = || ask(&SEND, &meta(&used.fresh, AUTHOR, READER), LETTER).packed(SEND.1);
    let include = |href: &str| {
        format!("<i:Include xmlns:i=\"http://www.w3.org/2004/08/xop/include\" href=\"{href}\"/>")
    };
    let part = "\r\n--b\r\nContent-ID: <p@test>\r\n\r\nx\r\n--b--";
    let named = || packed().with("SGFsbG8=", &include("cid:p@test"));
    let twice = format!(
        "SGFsbG8=</x:Message><x:Attachment contentType=\"a/b\">{}</x:Attachment>",
        include("cid:p@test")
    );
    let type_without = |what: &str| {
        let row = packed();
        let content_type = row.content_type.replace(what, "");
        row.of_type(&content_type)
    };
    vec![
        type_without("boundary=b; ").named("no boundary", "Sender"),
        type_without("xop+").named("another root", "Sender"),
        packed().with("\r\n--b--\r\n", "\r\n--b").named("a package that is cut off", "Sender"),
        packed().with("\r\n--b--", part).named("a part that nothing names", "Sender"),
        named().named("a part that is not there", "Sender"),
        packed().with("SGFsbG8=", &include("file:///etc/passwd")).named("a file", "Sender"),
        packed().with("SGFsbG8=", &include("cid:")).named("an empty reference", "Sender"),
        packed()
            .with("SGFsbG8=", &format!("SGFs{}", include("cid:p@test")))
            .with("\r\n--b--", part)
            .named("text beside a reference", "Sender"),
        named()
            .with("</x:Message>", &twice.replacen("SGFsbG8=", "", 1))
            .with("\r\n--b--", part)
            .named("a part that is named twice", "Sender"),
        named()
            .with("\r\n--b--", &part.replace("x\r\n--b--", &format!("x{part}")))
            .named("a part that is there twice", "Sender"),
    ]
}

/// Metadata that are not as the schema wants them.
fn metadata(used: &Used) -> Vec<Row> {
    let send = || sent(&used.fresh);
    let attributes = |inner: &str| {
        let to = format!("<m:DeliveryAttributes>{inner}</m:DeliveryAttributes>");
        send().with("<m:DeliveryAttributes/>", &to)
    };
    let others =
        "<m:OtherDestinations><m:OtherReaders type=\"xoev\">ags:3</m:OtherReaders></m:OtherDestinations>";
    vec![
        ask(&SEND, "", LETTER).named("no metadata", "Sender 9020"),
        ask(&SEND, &meta(&used.fresh, AUTHOR, READER).repeat(2), LETTER)
            .named("metadata twice", "Sender 9022"),
        send().with(" type=\"xoev\"", "").named("a name without type", "Sender 9022"),
        send()
            .with("<m:Qualifier>", "<m:Betreff/><m:Qualifier>")
            .named("an element nobody knows", "Sender 9022"),
        send()
            .with("<m:Qualifier>", "<m:MsgSize>1</m:MsgSize><m:Qualifier>")
            .named("another order", "Sender 9022"),
        send().with(" payloadSchema=\"urn:s\"", "").named("a type without schema", "Sender 9022"),
        send().with("listURI=\"urn:l\" ", "").named("a code without list", "Sender 9022"),
        send()
            .with("</m:Qualifier>", "</m:Qualifier><m:MsgSize>0</m:MsgSize>")
            .named("no size", "Sender 9022"),
        send()
            .with("</m:Qualifier>", "</m:Qualifier><m:MsgSize>99999999999</m:MsgSize>")
            .named("a size beyond the limit", "Sender 9023"),
        attributes("<m:NotBefore>gestern</m:NotBefore>").named("a moment that is none", "Sender 9022"),
        attributes("<m:ObsoleteAfter>2027-02-30</m:ObsoleteAfter>")
            .named("a day that is none", "Sender 9022"),
        attributes("<m:ObsoleteAfter>2020-01-01</m:ObsoleteAfter>")
            .named("a day that is over", "Sender 9022"),
        attributes("<m:NotBefore>2999-01-01T00:00:00Z</m:NotBefore>")
            .named("far in the future", "Sender 9022"),
        send().with("</m:Reader>", &format!("</m:Reader>{others}")).named("several readers", "Sender 9022"),
        send().with(&used.fresh, "").named("an empty id", "Sender 9022"),
        send().with(&used.fresh, &"x".repeat(2_000)).named("an id that is too long", "Sender 9022"),
        send()
            .with("<m:MessageMetaData", "<m:MessageMetaData TestMsg=\"ja\"")
            .named("a test or not", "Sender 9022"),
    ]
}

/// Contents that are not taken.
fn contents(used: &Used) -> Vec<Row> {
    let send = || sent(&used.fresh);
    let holding = |bytes: &str| {
        let encoded = openssl_base64(bytes.as_bytes());
        send().with("text/plain\">SGFsbG8=", &format!("application/xml\" filename=\"a.xml\">{encoded}"))
    };
    let root = "<x:Abgabe.Abgabe.0401 xmlns:x=\"urn:xoev-de:xdomea:schema:3.0.0\"/>";
    let latin = format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>{root}");
    let many = "<x:Attachment contentType=\"a/b\">eA==</x:Attachment>".repeat(10_001);
    vec![
        ask(&SEND, &meta(&used.fresh, AUTHOR, READER), "").named("no container", "Sender"),
        send().with("</s:Body>", &format!("{LETTER}</s:Body>")).named("two containers", "Sender"),
        send()
            .with("x:Message c", "x:Nachricht c")
            .with("/x:Message", "/x:Nachricht")
            .named("no message", "Sender"),
        send().with(" contentType=\"text/plain\"", "").named("a content without type", "Sender"),
        send().with("SGFsbG8=", "SGFs!!!!").named("no base64", "Sender"),
        send().with("SGFsbG8=", "SGFsbG8").named("base64 that is cut off", "Sender"),
        send().with("SGFsbG8=", &"A".repeat(6 << 20)).named("more than the account may send", "Sender 9023"),
        send().with("</x:Message>", &format!("</x:Message>{many}")).named("too many contents", "Sender 9023"),
        holding(root).named("a Fachnachricht against its schema", "Sender 9050"),
        holding(&latin).named("a Fachnachricht in another character set", "Sender 9051"),
    ]
}

/// Other requests that are not as the schemas want them, or ask for what is not there.
fn requests(used: &Used) -> Vec<Row> {
    let id = |id: &str| format!("<wsa:MessageID>{id}</wsa:MessageID>");
    let box_of = |act: &Act, party: &str, body: &str| ask_as(act, party, body);
    let select = |inner: &str| {
        let body =
            format!("<o:MsgBoxFetchRequest><o:MsgSelector>{inner}</o:MsgSelector></o:MsgBoxFetchRequest>");
        box_of(&FETCH, READER, &body)
    };
    let close = |received: &str| {
        format!(
            "<o:MsgBoxCloseRequest MsgBoxRequestID=\"1\"><o:LastMsgReceived>{received}</o:LastMsgReceived>\
             </o:MsgBoxCloseRequest>"
        )
    };
    let list = |attribute: &str| box_of(&LIST, READER, &format!("<o:MsgBoxStatusListRequest {attribute}/>"));
    let next = "<o:MsgBoxGetNextRequest MsgBoxRequestID=\"x\"/>";
    vec![
        ask_as(&REPORT, AUTHOR, &id("urn:none")).named("a report on nothing", "Sender 9070"),
        ask_as(&REPORT, OTHER, &id(&used.sent))
            .shown(Some("other"))
            .named("a report of others", "Sender 9070"),
        ask_as(&REPORT, AUTHOR, "").named("a report without id", "Sender 9020"),
        ask_as(&CANCEL, AUTHOR, &id(&used.sent)).named("back, without a moment", "Sender 9101"),
        ask_as(&CANCEL, AUTHOR, &id("urn:none")).named("back, what is not there", "Sender 9022"),
        ask_as(&LOOKUP, AUTHOR, "").named("a lookup of nothing", "Sender 9020"),
        ask_as(&LOOKUP, AUTHOR, &lookup("Wohngeld")).named("a service that is no URI", "Sender 9021"),
        select(&id("urn:none")).named("a message that is not there", "Sender 9070"),
        box_of(&FETCH, AUTHOR, "<o:MsgBoxFetchRequest/>").named("an empty box", "Sender 9070"),
        ask_as(&FETCH, OTHER, "<o:MsgBoxFetchRequest/>")
            .shown(Some("other"))
            .named("the box of others", "Sender 9070"),
        select("<o:Extension/>").named("an extension", "Sender 9022"),
        box_of(&FETCH, READER, "<o:MsgBoxFetchRequest MsgPart=\"Body\"/>")
            .named("a part of a message", "Sender 9022"),
        box_of(&NEXT, READER, next).named("the next of nothing", "Sender 9070"),
        box_of(&CLOSE, READER, &close("urn:none")).named("closing what is not there", "Sender 9070"),
        ask_as(&CLOSE, OTHER, &close(&used.sent))
            .shown(Some("other"))
            .named("closing for others", "Sender 9070"),
        box_of(&CLOSE, READER, "<o:MsgBoxCloseRequest/>").named("closing without an iterator", "Sender 9022"),
        list("maxListItems=\"0\"").named("a list of nothing", "Sender 9022"),
        list("ListForm=\"Kurz\"").named("a form that is not known", "Sender 9022"),
        box_of(&LIST, READER, "<o:MsgBoxFetchRequest/>").named("another request", "Sender 9022"),
    ]
}

fn lookup(service: &str) -> String {
    format!(
        "<x:LookupServiceRequest><x:LookupServiceRequestList><x:LookupService><m:Reader>{}</m:Reader>\
         <x:ServiceType>{service}</x:ServiceType></x:LookupService></x:LookupServiceRequestList></x:LookupServiceRequest>",
        party(READER)
    )
}

/// Base64 by OpenSSL.
fn openssl_base64(bytes: &[u8]) -> String {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut command = Command::new("openssl");
    let command = command.args(["base64", "-A"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}
