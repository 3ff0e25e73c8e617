//! Certificates on the overview: those of ways to others that end soon, all key pairs of the house, and weak ones.

use broker::{CertificateEnd, WayEnd, WeakCertificate};
use maud::{Markup, html};
use model::Timestamp;

use super::overview::{SOON_DAYS, days_left, left};
use super::{labels, show};
use crate::Console;
use crate::page::Look;
use crate::visit::Visit;

/// Certificates of a tenant, each list with the first end first.
pub(super) struct Ends {
    /// Of ways to others, and of the house's own sides of such ways.
    pub(super) ways: Vec<WayEnd>,
    /// Other key pairs of the house.
    pub(super) pairs: Vec<CertificateEnd>,
}

impl Ends {
    /// What ends soon, whosever it is.
    pub(super) fn soon(&self, now: Timestamp) -> Vec<Timestamp> {
        let ways = self.ways.iter().map(|it| it.end);
        let all = ways.chain(self.pairs.iter().map(|it| it.until));
        all.filter(|end| days_left(now, *end) < SOON_DAYS).collect()
    }
}

/// Those of others that end soon, and all of our own.
pub(super) fn shown(console: &Console, look: &Look, visit: &Visit, now: Timestamp, ends: &Ends) -> Markup {
    let is_theirs = |it: &&WayEnd| !it.ours && days_left(now, it.end) < SOON_DAYS;
    let theirs: Vec<&WayEnd> = ends.ways.iter().filter(is_theirs).collect();
    html! {
        h2 #certificates { (look.of_two("Zertifikate", "Certificates")) }
        h3 { (look.of_two("Von anderen Stellen, bald zu Ende", "Of other offices, about to end")) }
        (of_others(console, look, visit, now, &theirs))
        h3 { (look.of_two("Eigene Schlüsselpaare", "Our own key pairs")) }
        (of_ours(console, look, visit, now, ends))
    }
}

fn of_others(console: &Console, look: &Look, visit: &Visit, now: Timestamp, soon: &[&WayEnd]) -> Markup {
    let tenant = &visit.caller.scope.tenant;
    if soon.is_empty() {
        return html! { p.soft { (look.of_two(
            "In den nächsten 60 Tagen läuft keines ab, mit dem Nachrichten zu anderen Stellen gehen oder von dort kommen.",
            "None ends within 60 days of those by which messages go to other offices or come from them.",
        )) } };
    }
    html! {
        div.wide tabindex="0" role="region" aria-label=(look.of_two("Zertifikate anderer Stellen", "Certificates of other offices")) { table {
            thead { tr {
                th scope="col" { (look.of_two("Inhaber", "Whose")) }
                th scope="col" { (look.of_two("Weg", "Way")) }
                th scope="col" { (look.of_two("Ende", "Ends")) }
                th scope="col" { (look.of_two("Noch", "Left")) }
            } }
            tbody { @for it in soon { tr {
                td { (show::partner(console, tenant, it.authority.as_str())) }
                td.short { (labels::transport(look, it.transport)) }
                (cells(look, now, it.end))
            } } }
        } }
    }
}

fn of_ours(console: &Console, look: &Look, visit: &Visit, now: Timestamp, ends: &Ends) -> Markup {
    let tenant = &visit.caller.scope.tenant;
    let ways = ends.ways.iter().filter(|it| it.ours).map(|it| {
        let what = html! { (labels::transport(look, it.transport)) ": " (show::partner(console, tenant, it.authority.as_str())) };
        (it.end, what)
    });
    let pairs = ends.pairs.iter().map(|it| {
        let what = html! { (purpose(look, &it.name)) " " span.code { (it.name) } };
        (it.until, what)
    });
    let mut rows: Vec<(Timestamp, Markup)> = ways.chain(pairs).collect();
    rows.sort_by_key(|(end, _)| *end);
    if rows.is_empty() {
        return html! { p.soft { (look.of_two(
            "Die Konfiguration nennt keines.",
            "The configuration names none.",
        )) } };
    }
    html! {
        div.wide tabindex="0" role="region" aria-label=(look.of_two("Eigene Schlüsselpaare", "Our own key pairs")) { table {
            thead { tr {
                th scope="col" { (look.of_two("Wofür", "What for")) }
                th scope="col" { (look.of_two("Ende", "Ends")) }
                th scope="col" { (look.of_two("Noch", "Left")) }
            } }
            tbody { @for (until, what) in &rows { tr {
                td { (what) }
                (cells(look, now, *until))
            } } }
        } }
    }
}

/// The cells of an end.
fn cells(look: &Look, now: Timestamp, end: Timestamp) -> Markup {
    html! { td { (show::when(look, end)) } td { (left(look, now, end)) } }
}

/// What a key pair of the house that stands on no way is for, by its place in the configuration.
fn purpose(look: &Look, name: &str) -> String {
    let (kind, which) = name.split_once(' ').unwrap_or((name, ""));
    match (kind, which) {
        ("tls", _) => {
            look.of_two("TLS der Zugänge dieses Gateways", "TLS of this gateway's doors").to_owned()
        }
        ("osci", "cipher") => {
            look.of_two("OSCI-Intermediär: Entschlüsseln", "OSCI intermediary: decrypting").to_owned()
        }
        ("osci", "signer") => {
            look.of_two("OSCI-Intermediär: Signieren", "OSCI intermediary: signing").to_owned()
        }
        ("dvdv", _) => look.of_two("Auskunft im DVDV", "Asking the DVDV").to_owned(),
        ("payment_provider", id) => format!("{} {id}", look.of_two("Zahlungsanbieter", "Payment provider")),
        ("adapter", id) => format!("Adapter {id}"),
        _ => look.of_two("Weiteres Schlüsselpaar", "Another key pair").to_owned(),
    }
}

/// What a certificate has that is weaker than TR-02102-1 wants, the configuration's and the directory's.
pub(super) fn weak(look: &Look, weak: &[WeakCertificate]) -> Markup {
    html! {
        h2 #short { (look.of_two("Schwache Zertifikate", "Weak certificates")) }
        @if weak.is_empty() {
            p.soft { (look.of_two(
                "Alle Zertifikate der Konfiguration und des Verzeichnisses haben Schlüssel und Signaturen, die BSI TR-02102-1 genügen.",
                "All certificates of the configuration and the directory have keys and signatures as BSI TR-02102-1 wants them.",
            )) }
        } @else {
            p.soft { (look.of_two(
                "BSI TR-02102-1 verlangt RSA-Schlüssel von mindestens 3000 Bit, elliptische Kurven von mindestens 250 Bit und Signaturen mit \
                 SHA-2 oder SHA-3. Bitten Sie den Inhaber um ein neues Zertifikat, und tauschen Sie es an der genannten Stelle aus.",
                "BSI TR-02102-1 wants RSA keys of 3000 bits at least, curves of 250 bits at least, and signatures with SHA-2 or SHA-3. Ask \
                 the holder for a new certificate, and put it in the place that is named.",
            )) }
            div.wide tabindex="0" role="region" aria-label=(look.of_two("Schwache Zertifikate", "Weak certificates")) { table {
                thead { tr {
                    th scope="col" { (look.of_two("Stelle", "Place")) }
                    th scope="col" { (look.of_two("Inhaber", "Holder")) }
                    th scope="col" { (look.of_two("Schwach", "Weak")) }
                } }
                tbody { @for it in weak { tr {
                    td { span.code { (it.name) } }
                    td { (it.subject) }
                    td { (it.why.join(", ")) }
                } } }
            } }
        }
    }
}
