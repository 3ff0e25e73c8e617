//! What happens when somebody agrees, in words: whoever decides or audits judges by the page alone. What was before is shown as it was
//! when it was asked for. Secrets are never shown, only that they change.

use std::collections::{BTreeMap, BTreeSet};

use broker::{Act, Approval, Partner, TokenRow, UserChange};
use maud::{Markup, html};
use model::{Authority, Role, Timestamp};
use seal::x509::Certificate;
use serde_json::Value;

use super::said;
use crate::Console;
use crate::operate::show;
use crate::page::Look;

/// Settings of a partner that are written out.
const SETTINGS: usize = 200;
/// Longest text of one that is written out, in characters.
const TEXT: usize = 300;
/// What names of settings hold that are no one's business.
const SECRET: [&str; 8] =
    ["secret", "password", "passwort", "kennwort", "token", "credential", "geheim", "privatekey"];

/// The page of one request.
#[derive(Clone, Copy)]
struct Here<'a> {
    console: &'a Console,
    look: &'a Look,
    tenant: &'a str,
}

/// What happens when somebody agrees.
pub(super) fn of(console: &Console, look: &Look, approval: &Approval) -> Markup {
    let here = Here { console, look, tenant: &approval.tenant };
    let Ok(act) = serde_json::from_value::<Act>(approval.detail.clone()) else { return unknown(look) };
    match act {
        Act::ReleaseMessage { minutes, .. } => here.release(minutes, &[]),
        Act::ReleaseDocument { version, file, minutes, .. } => here.release(
            minutes,
            &[(look.of_two("Version", "Version"), version), (look.of_two("Datei", "File"), file)],
        ),
        Act::EraseEvent { root, .. } => here.erasure(
            look.of_two(
                "Was das Ereignis aussagt, wird endgültig gelöscht.",
                "What the event says is erased for good.",
            ),
            &root.to_string(),
        ),
        Act::ErasePayload { root, .. } => here.erasure(
            look.of_two(
                "Die Bytes dieses Inhalts werden endgültig gelöscht.",
                "The bytes of this content are erased for good.",
            ),
            &root.to_string(),
        ),
        Act::Forward { to, .. } => html! {
            (look.of_two(
                "Die Nachricht geht samt Inhalt an diese Behörde und gilt hier als erledigt: ",
                "The message goes to this authority with its content, and is done with here: ",
            )) (here.authority(Some(&to)))
        },
        Act::AddToken { token } => here.token(&token),
        Act::User { change, before, .. } => here.user(&change, &before.map(|it| *it).unwrap_or_default()),
        Act::PutPartner { partner, before } => here.partner(&partner, before.as_deref()),
        _ => unknown(look),
    }
}

fn unknown(look: &Look) -> Markup {
    html! { (look.of_two(
        "Diese Seite kann nicht sagen, was geschieht. Stimmen Sie nicht zu.",
        "This page cannot say what happens. Do not agree.",
    )) }
}

/// One thing that changes or stays: what it is called, what it was as far as that is known, what it is then.
struct Line {
    label: Markup,
    before: Option<Markup>,
    after: Option<Markup>,
}

impl Here<'_> {
    fn release(self, minutes: u32, what: &[(&str, Option<String>)]) -> Markup {
        html! {
            p { (self.look.of_two(
                "Wer es beantragt hat, darf genau diesen Inhalt lesen. Dauer in Minuten ab der Zustimmung: ",
                "Whoever asked may read exactly this content. Minutes from when somebody agrees: ",
            )) (minutes) }
            dl { @for (label, value) in what { @if let Some(value) = value { dt { (label) } dd { (value) } } } }
        }
    }

    fn erasure(self, what: &str, root: &str) -> Markup {
        html! {
            p { (what) " " (self.look.of_two(
                "Dass es da war, bleibt beweisbar. Das lässt sich nicht rückgängig machen.",
                "That it was there stays provable. This cannot be undone.",
            )) }
            dl { dt { (self.look.of_two("Gehört zu", "Belongs to")) } dd { code { (root) } } }
        }
    }

    fn token(self, token: &TokenRow) -> Markup {
        let TokenRow { name, roles, units, services, authority, expires_at, .. } = token;
        let look = self.look;
        html! {
            p { (look.of_two(
                "Ein System kann von da an die REST-Schnittstelle aufrufen. Das Geheimnis dazu kennt nur, wer es beantragt hat.",
                "From then on a system can call the REST interface. Only whoever asked knows its secret.",
            )) }
            dl {
                dt { (look.of_two("System", "System")) } dd { (name) }
                dt { (look.of_two("Rollen", "Roles")) } dd { (self.roles(roles)) }
                dt { (look.of_two("Einheiten", "Units")) } dd { (said::within(look, units)) }
                dt { (look.of_two("Leistungen", "Services")) } dd { (said::within(look, services)) }
                dt { (look.of_two("Behörde", "Authority")) } dd { (self.authority(authority.as_ref())) }
                dt { (look.of_two("Gilt bis", "Valid until")) } dd { (self.end(*expires_at)) }
            }
            (self.allowed(roles))
        }
    }

    fn user(self, change: &UserChange, before: &UserChange) -> Markup {
        let look = self.look;
        let known = before.roles.clone().unwrap_or_default();
        let given =
            change.roles.iter().flatten().filter(|role| !known.contains(role)).copied().collect::<Vec<_>>();
        let text =
            |text: &Option<String>| html! { (text.as_deref().unwrap_or(look.of_two("keine", "none"))) };
        let provider = |it: &Option<(String, String)>| match it {
            Some((issuer, subject)) => html! { (issuer) ", " code { (subject) } },
            None => html! { (look.of_two("keiner", "none")) },
        };
        let both = |label: &str, of: &dyn Fn(&UserChange) -> Option<Markup>| Line {
            label: html! { (label) },
            before: of(before),
            after: of(change),
        };
        let lines = [
            both("Name", &|it| it.name.as_ref().map(|name| html! { (name) })),
            both(look.of_two("E-Mail", "E-mail"), &|it| it.email.as_ref().map(text)),
            both(look.of_two("Rollen", "Roles"), &|it| it.roles.as_ref().map(|roles| self.roles(roles))),
            both(look.of_two("Einheiten", "Units"), &|it| {
                it.units.as_ref().map(|it| html! { (said::within(look, it)) })
            }),
            both(look.of_two("Leistungen", "Services"), &|it| {
                it.services.as_ref().map(|it| html! { (said::within(look, it)) })
            }),
            both(look.of_two("Behörde", "Authority"), &|it| {
                it.authority.as_ref().map(|it| self.authority(it.as_ref()))
            }),
            both(look.of_two("Stand", "State"), &|it| it.state.map(|state| said::state(look, state))),
            both(look.of_two("Anmeldung über", "Signs in by"), &|it| it.identity.as_ref().map(provider)),
        ];
        html! {
            @if change.reset { p { (look.of_two(
                "Kennwort, zweiter Faktor und Wiederherstellungscodes werden gelöscht. Wer danach den neuen Einrichtungscode bekommt, \
                 meldet sich als dieser Benutzer an.",
                "Password, second factor and recovery codes are deleted. Whoever gets the new initial secret then signs in as this user.",
            )) } }
            (self.lines(&lines))
            (self.allowed(&given))
        }
    }

    fn partner(self, partner: &Partner, before: Option<&Partner>) -> Markup {
        let look = self.look;
        let line = |label: &str, of: &dyn Fn(&Partner) -> Markup| Line {
            label: html! { (label) },
            before: before.map(of),
            after: Some(of(partner)).filter(|after| before.map(of).is_none_or(|it| it.0 != after.0)),
        };
        let mut lines = vec![
            line("Name", &|it| html! { (it.name) }),
            line(look.of_two("Behörde", "Authority"), &|it| self.authority(it.authority.as_ref())),
        ];
        let (old, new) =
            (before.map(|it| leaves(&it.settings)).unwrap_or_default(), leaves(&partner.settings));
        let differs = |path: &&String| old.get(*path) != new.get(*path);
        let all: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let changed: Vec<&String> = all.into_iter().filter(differs).collect();
        let nothing = || html! { (look.of_two("nicht gesetzt", "not set")) };
        lines.extend(changed.iter().take(SETTINGS).map(|path| {
            let of = |at: &BTreeMap<String, Value>| {
                at.get(*path).map_or_else(nothing, |it| setting(look, path, it))
            };
            Line { label: called(look, path), before: before.map(|_| of(&old)), after: Some(of(&new)) }
        }));
        html! {
            p { (match before {
                Some(_) => look.of_two("Der Partner wird geändert:", "The partner is changed:"),
                None => look.of_two("So gilt der Eintrag dieses Partners danach:", "The entry of this partner is then:"),
            }) }
            (self.lines(&lines))
            @if changed.len() > SETTINGS { p { (look.of_two("Weitere geänderte Vereinbarungen: ", "More agreements that change: "))
                (changed.len() - SETTINGS) } }
        }
    }

    /// What changes, and beside it what stays; the column of what was is left out where nothing is known of it.
    fn lines(self, lines: &[Line]) -> Markup {
        let look = self.look;
        let is_known = lines.iter().any(|line| line.before.is_some());
        html! {
            div.wide tabindex="0" role="region" aria-label=(look.of_two("Änderungen", "Changes")) { table {
                thead { tr {
                    th scope="col" { (look.of_two("Angabe", "Item")) }
                    @if is_known { th scope="col" { (look.of_two("Bei Antragstellung", "When it was asked for")) } }
                    th scope="col" { (look.of_two("Danach", "Then")) }
                } }
                tbody { @for Line { label, before, after } in lines.iter().filter(|it| it.before.is_some() || it.after.is_some()) { tr {
                    th scope="row" { (label) }
                    @if is_known { td { @if let Some(before) = before { (before) } } }
                    td { @match after {
                        Some(after) => strong { (after) },
                        None => (look.of_two("unverändert", "unchanged")),
                    } }
                } } }
            } }
        }
    }

    fn roles(self, roles: &[Role]) -> Markup {
        let words: Vec<&str> = roles.iter().map(|role| said::role(self.look, *role)).collect();
        html! { @if words.is_empty() { (self.look.of_two("keine", "none")) } @else { (words.join(", ")) } }
    }

    /// What roles that are given allow.
    fn allowed(self, given: &[Role]) -> Markup {
        html! { @if !given.is_empty() {
            p { (self.look.of_two("Das erlauben die Rollen, die hinzukommen:", "This is what the roles allow that are given:")) }
            (said::roles(self.look, given))
        } }
    }

    fn authority(self, authority: Option<&Authority>) -> Markup {
        html! { @match authority {
            Some(key) => {
                @if let Some(name) = show::name_of(self.console, self.tenant, key.as_str()) { (name) " " }
                code { (key) }
            },
            None => (self.look.of_two("keine bestimmte", "none in particular")),
        } }
    }

    fn end(self, at: Option<Timestamp>) -> String {
        at.map_or_else(
            || self.look.of_two("unbefristet", "without end").to_owned(),
            |at| said::when(self.look, at),
        )
    }
}

/// Settings by their paths, such as `services/bau/mostBytes`.
fn leaves(settings: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    collect(settings, String::new(), &mut found);
    found
}

fn collect(value: &Value, path: String, found: &mut BTreeMap<String, Value>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, it)| collect(it, below(name), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, it)| collect(it, below(&(at + 1).to_string()), found));
        }
        Value::Null if path.is_empty() => {}
        value => drop(found.insert(path, value.clone())),
    }
}

/// What a setting is called.
fn called(look: &Look, path: &str) -> Markup {
    let service = path.strip_prefix("services/").and_then(|rest| rest.strip_suffix("/mostBytes"));
    let largest = look.of_two("Größte Nachricht", "Largest message");
    html! { @match (path, service) {
        ("mostBytes", _) => (largest),
        (_, Some(service)) => { (largest) ", " (look.of_two("Leistung ", "service ")) code { (service) } },
        _ => code { (path) },
    } }
}

/// What a setting says: certificates by what they are known by, never a secret.
fn setting(look: &Look, path: &str, value: &Value) -> Markup {
    let text = value.as_str().unwrap_or_default();
    if is_secret(path, text) {
        return html! { (look.of_two("gesetzt, wird nicht gezeigt", "set, not shown")) };
    }
    if let Some(bytes) = value.as_u64().filter(|_| path.ends_with("mostBytes")) {
        return html! { (show::size(look, bytes)) };
    }
    let certificates = Certificate::all_from_pem(text.as_bytes()).unwrap_or_default();
    if !certificates.is_empty() {
        return html! { @for it in &certificates {
            (it.subject().unwrap_or_default()) ", " (look.of_two("gültig bis ", "valid until "))
            (look.words.date(Timestamp::from_micros(it.not_after().saturating_mul(1_000_000)))) ", SHA-256 " code { (it.fingerprint()) } " "
        } };
    }
    let length = text.chars().count();
    if length > TEXT {
        let digest = seal::sha256(&[text.as_bytes()]).to_string();
        return html! { (length) " " (look.of_two("Zeichen", "characters")) ", SHA-256 " code { (digest) } };
    }
    html! { code { @if value.is_string() { (text) } @else { (value) } } }
}

/// Whether its name or what it says gives a secret away: keys, and addresses with a password in them.
fn is_secret(path: &str, text: &str) -> bool {
    let plain: String = path.to_lowercase().chars().filter(|it| it.is_alphanumeric() || *it == '/').collect();
    let login = text.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    SECRET.iter().any(|word| plain.contains(word))
        || text.contains("PRIVATE KEY")
        || login.is_some_and(|host| host.contains('@'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_have_paths_and_secrets_are_known_by_name_and_by_form() {
        let settings =
            json!({ "mostBytes": 5, "services": { "bau": { "mostBytes": 3 } }, "ways": ["a", "b"] });
        let paths: Vec<String> = leaves(&settings).into_keys().collect();
        assert_eq!(paths, ["mostBytes", "services/bau/mostBytes", "ways/1", "ways/2"]);
        assert!(leaves(&Value::Null).is_empty());
        for (path, text) in [
            ("xta/clientSecret", "x"),
            ("api_token/value", "x"),
            ("private-key", "x"),
            ("key", "EC PRIVATE KEY"),
            ("url", "https://amt:geheimnis@host.example/"),
        ] {
            assert!(is_secret(path, text), "{path} {text}");
        }
        for (path, text) in
            [("url", "https://host.example/a@b"), ("certificate", "-----BEGIN CERTIFICATE-----")]
        {
            assert!(!is_secret(path, text), "{path}");
        }
    }
}
