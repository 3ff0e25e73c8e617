//! One partner: how it is reached, adding and changing it, trying its connection.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use broker::{DoneOrAsked, Partner, Wanted};
use maud::{Markup, html};
use model::directory::Way;
use model::rights::Action;
use model::{Authority, Timestamp, ids};
use serde_json::Value;

use super::partners::{self, Known, Source};
use super::{labels, overview, show, trial};
use crate::Console;
use crate::asked::{Asked, PathName};
use crate::asking::{self, Reason};
use crate::form::Form;
use crate::page::{self, Look};
use crate::visit::Visit;

/// Longest settings, in bytes.
const SETTINGS_BYTES: usize = 20_000;

/// The partner of a path: by the id in the store, or by the key of its authority.
pub(super) async fn find(console: &Console, visit: &Visit, id: &str) -> Result<Option<Known>, broker::Error> {
    let all = partners::known(console, visit).await?;
    let by_key = |it: &Known| it.authority.as_ref().is_some_and(|key| key.as_str() == id);
    let at = all.iter().position(|it| it.id == id).or_else(|| all.iter().position(by_key));
    if let Some(known) = at.and_then(|at| all.into_iter().nth(at)) {
        return Ok(Some(known));
    }
    // Something goes there, so it has a page, although no entry of ours names it: its way was looked up.
    let Ok(key) = id.parse::<Authority>() else { return Ok(None) };
    let lanes = console.broker.lanes(&visit.caller).await?;
    Ok(partners::lane_to(&lanes, &key).map(|_| Known::looked_up(key.clone())))
}

/// `GET /console/partners/{id}`.
pub(super) async fn one(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathName(id): PathName,
    asked: Asked,
) -> Response {
    let known = match find(&console, &visit, &id).await {
        Ok(Some(known)) => known,
        Ok(None) => return page::missing(&look),
        Err(error) => return page::failed(&look, &error),
    };
    let ways = match &known.authority {
        Some(key) => {
            console.broker.capabilities(&visit.caller, key, Wanted::default()).await.unwrap_or_default()
        }
        None => vec![],
    };
    let lanes = console.broker.lanes(&visit.caller).await.unwrap_or_default();
    let lane = known.authority.as_ref().and_then(|key| partners::lane_to(&lanes, key));
    let now = console.broker.now();
    let mends = visit.caller.may(Action::RepairMessages).is_ok();
    page::page(
        &look,
        &known.name,
        &html! {
            @match asked.text("done") {
                "saved" => (page::done(look.of_two("Der Partner ist gespeichert.", "The partner was saved."))),
                "retry" => (page::done(look.of_two(
                    "Was wartet, wird jetzt versucht.",
                    "What waits is being tried now.",
                ))),
                _ => {}
            }
            (page::help(&look, &html! { p { (look.of_two(
                "Wege werden von oben nach unten versucht; benutzt wird der erste, der nutzbar ist. Scheitert die Zustellung wiederholt, wird \
                 sie unterbrochen und von selbst wieder aufgenommen.",
                "Ways are looked at from the top; the first that is usable is used. If deliveries fail repeatedly, they are interrupted, and \
                 taken up again without your help.",
            )) } }))
            div.card { dl {
                @if let Some(key) = &known.authority { dt { (look.of_two("Behörde", "Authority")) } dd.code { (key) } }
                dt { (look.of_two("Quelle", "Source")) } dd { (known.source.name(&look)) }
                @if let Some(lane) = lane {
                    dt { (look.of_two("Zustellung", "Delivery")) } dd { (partners::breaker(&look, lane)) }
                    dt { (look.of_two("Wartend", "Waiting")) }
                    dd { (lane.waiting + lane.leased) @if let Some(at) = lane.oldest { ", " (show::ago(&look, now, at)) } }
                    @if lane.breaker.last_code.is_some() {
                        dt { (look.of_two("Letzter Fehler", "Last failure")) } dd { (partners::last_failure(&look, now, lane)) }
                    }
                }
                @if let Some(kept) = &known.kept {
                    dt { (look.of_two("Zuletzt geändert", "Changed last")) } dd { (show::when(&look, kept.updated_at)) }
                }
            } }
            @if let Some(key) = &known.authority {
                @if lane.is_some() && mends { div.acts { (partners::retry(&look, key.as_str())) } }
                p { a href=(look.to(&Asked::default().with("/messages", "partner", Some(key.as_str())))) {
                    (look.of_two("Nachrichten von und an diesen Partner", "Messages from and to this partner"))
                } }
            }
            h2 { (look.of_two("Wege", "Ways")) }
            (shown_ways(&look, now, &ways))
            @if visit.caller.may(Action::Operate).is_ok() && known.authority.is_some() { (trial::forms(&console, &look, &visit, &known)) }
            (change(&console, &look, &visit, &known))
        },
    )
}

fn shown_ways(look: &Look, now: Timestamp, ways: &[Way]) -> Markup {
    let used = ways.iter().position(Way::is_usable);
    html! {
        @if ways.is_empty() {
            (page::empty(look.of_two(
                "Kein Verzeichnis kennt einen Weg zu diesem Partner. Wege stehen in der Konfiguration, werden importiert oder im DVDV nachgeschlagen.",
                "No directory knows a way to this partner. Ways stand in the configuration, are imported, or looked up in the DVDV.",
            )))
        } @else {
            div.wide tabindex="0" role="region" aria-label=(look.of_two("Wege", "Ways")) { table {
                thead { tr {
                    th scope="col" { (look.of_two("Weg", "Way")) }
                    th scope="col" { (look.of_two("Liest", "Reads")) }
                    th.number scope="col" { (look.of_two("Höchstens", "At most")) }
                    th scope="col" { (look.of_two("Zertifikate", "Certificates")) }
                    th scope="col" { (look.of_two("Nutzbar", "Usable")) }
                } }
                tbody { @for (at, way) in ways.iter().enumerate() { tr {
                    td.short { (labels::transport(look, way.reach.transport.name())) }
                    td { (way.reach.reads.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ")) }
                    td.number { (show::size(look, way.reach.most_bytes)) }
                    td { @if let Some(end) = way.until { (show::when(look, end)) " " (overview::left(look, now, end)) } @else { "–" } }
                    td {
                        @match way.obstacle {
                            Some(code) => { span.state.bad { (look.of_two("nein", "no")) } " " (show::code(look, code)) },
                            None if used == Some(at) => { span.state.good { (look.of_two("wird benutzt", "is used")) } },
                            None => { span.state { (look.of_two("ja", "yes")) } },
                        }
                    }
                } } }
            } }
        }
    }
}

fn change(console: &Console, look: &Look, visit: &Visit, known: &Known) -> Markup {
    let manages = visit.caller.may(Action::ManagePartners).is_ok();
    html! {
        h2 { (look.of_two("Eintrag", "Entry")) }
        @match (&known.kept, known.source) {
            (Some(kept), _) if manages => div.card { (form(console, look, Some(kept), &Fields::of(kept), None)) },
            (Some(_), _) => p.soft { (look.of_two(
                "Ändern darf, wer die Rolle Administration hat.",
                "Whoever has the role of an administrator may change it.",
            )) },
            (None, Source::Configuration) => p.soft { (look.of_two(
                "Der Partner steht in der Konfigurationsdatei und wird nur dort geändert.",
                "The partner stands in the configuration file and is changed only there.",
            )) },
            (None, Source::LookedUp) => p.soft { (look.of_two(
                "Der Partner hat hier keinen Eintrag; sein Weg wird nachgeschlagen, wenn etwas an ihn geht.",
                "The partner has no entry here; its way is looked up when something goes to it.",
            )) },
            (None, _) => p.soft { (look.of_two(
                "Der Partner kam mit einem Verzeichnis; ein neuer Import ändert ihn (amtsbote directory import).",
                "The partner came with a directory; a new import changes it (amtsbote directory import).",
            )) },
        }
    }
}

/// What the form of a partner holds.
#[derive(Default)]
struct Fields {
    id: String,
    /// The version that was seen; stays when the form comes back, so that nothing is overwritten that was written since.
    version: String,
    authority: String,
    name: String,
    settings: String,
}

impl Fields {
    fn of(kept: &Partner) -> Self {
        let settings = match &kept.settings {
            Value::Null => String::new(),
            settings => serde_json::to_string_pretty(settings).unwrap_or_default(),
        };
        let authority = kept.authority.as_ref().map(Authority::to_string).unwrap_or_default();
        let (id, version, name) = (kept.id.clone(), kept.version.to_string(), kept.name.clone());
        Fields { id, version, authority, name, settings }
    }

    fn sent(form: &Form, id: &str) -> Self {
        let text = |name: &str| form.field(name).to_owned();
        Fields {
            id: id.to_owned(),
            version: text("version"),
            authority: text("authority"),
            name: text("name"),
            settings: text("settings"),
        }
    }

    /// What it says, or the name of the field that is wrong.
    fn read(&self) -> Result<(Option<Authority>, Value), &'static str> {
        if !ids::is_name(&self.id) || self.id == "new" {
            return Err("id");
        }
        let authority = match self.authority.as_str() {
            "" => None,
            key => Some(key.parse().map_err(|_| "authority")?),
        };
        if !(1..=200).contains(&self.name.chars().count()) {
            return Err("name");
        }
        let settings = match self.settings.as_str() {
            "" => Value::Null,
            text if text.len() > SETTINGS_BYTES => return Err("settings"),
            text => serde_json::from_str(text).map_err(|_| "settings")?,
        };
        if settings.is_object() || settings.is_null() { Ok((authority, settings)) } else { Err("settings") }
    }
}

fn form(
    console: &Console,
    look: &Look,
    kept: Option<&Partner>,
    fields: &Fields,
    wrong: Option<&str>,
) -> Markup {
    let action = kept.map_or("/partners/new".to_owned(), |kept| format!("/partners/{}", kept.id));
    let text = |name: &str, label: &str, hint: &str, value: &str, required: bool| {
        html! {
            label for={ "partner-" (name) } { (label) }
            p.hint id={ "partner-" (name) "-hint" } { (hint) }
            input id={ "partner-" (name) } name=(name) type="text" value=(value) maxlength="200" required[required] autocomplete="off"
                aria-describedby={ "partner-" (name) "-hint" } aria-invalid=[(wrong == Some(name)).then_some("true")];
        }
    };
    html! {
        form method="post" action=(look.to(&action)) {
            (look.form_token())
            @if kept.is_some() {
                input type="hidden" name="version" value=(fields.version);
            } @else {
                (text("id", look.of_two("Kurzname", "Short name"), look.of_two(
                    "Buchstaben, Ziffern, Punkt, Doppelpunkt, Bindestrich",
                    "Letters, digits, dot, colon, hyphen",
                ), &fields.id, true))
            }
            (text("name", "Name", look.of_two("Wie die Stelle heißt", "What the office is called"), &fields.name, true))
            (text("authority", look.of_two("Behördenkennung", "Key of the authority"), look.of_two(
                "Wie bab:05974000; leer, wenn es keine Behörde ist",
                "Such as bab:05974000; empty if it is no authority",
            ), &fields.authority, false))
            label for="partner-settings" { (look.of_two("Vereinbarungen (JSON)", "Agreements (JSON)")) }
            p.hint #partner-settings-hint { (look.of_two(
                "Zum Beispiel die größte Nachricht in Byte: ",
                "For instance the largest message in bytes: ",
            )) span.code { "{\"mostBytes\": 50000000}" } }
            textarea #partner-settings.code name="settings" maxlength="20000" spellcheck="false" aria-describedby="partner-settings-hint"
                aria-invalid=[(wrong == Some("settings")).then_some("true")] { (fields.settings) }
            (asking::field_if_wanted(console, look, Reason { wrong: wrong == Some("reason"), ..Reason::may("partner-reason") }))
            button.main type="submit" { (look.of_two("Speichern", "Save")) }
        }
    }
}

/// `GET /console/partners/new`.
pub(super) async fn new(State(console): State<Console>, look: Look) -> Response {
    let title = look.of_two("Partner anlegen", "Add a partner");
    let help = page::help(
        &look,
        &html! { p { (look.of_two(
            "Ein Partner ist eine Stelle, mit der Nachrichten ausgetauscht werden. Hier bekommt er einen Namen und, was mit ihm vereinbart ist; \
             seine Wege kommen aus der Konfiguration, einem Import oder dem DVDV. Nach dem Speichern lässt sich die Verbindung prüfen.",
            "A partner is an office with which messages are exchanged. Here it gets a name and what was agreed with it; its ways come from the \
             configuration, an import or the DVDV. Once it is saved, its connection can be tested.",
        )) } },
    );
    let form = form(&console, &look, None, &Fields::default(), None);
    page::page(&look, title, &html! { (help) (form) })
}

/// `POST /console/partners/new`.
pub(super) async fn create(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    form: Form,
) -> Response {
    let fields = Fields::sent(&form, form.field("id"));
    save(&console, &look, &visit, &fields, None, &form).await
}

/// `POST /console/partners/{id}`.
pub(super) async fn put(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathName(id): PathName,
    form: Form,
) -> Response {
    let kept = match find(&console, &visit, &id).await {
        Ok(known) => known.and_then(|known| known.kept).filter(|kept| kept.id == id),
        Err(error) => return page::failed(&look, &error),
    };
    let Some(kept) = kept else { return page::missing(&look) };
    save(&console, &look, &visit, &Fields::sent(&form, &id), Some(&kept), &form).await
}

async fn save(
    console: &Console,
    look: &Look,
    visit: &Visit,
    fields: &Fields,
    kept: Option<&Partner>,
    sent: &Form,
) -> Response {
    let (authority, settings) = match fields.read() {
        Ok(read) => read,
        Err(wrong) => return again(console, look, fields, kept, wrong),
    };
    // Who changes it says which version was seen, so that nobody overwrites what another has just written.
    let seen = kept.map_or(Some(0), |_| fields.version.parse::<u64>().ok());
    let Some(seen) = seen else { return again(console, look, fields, kept, "version") };
    let partner = Partner {
        id: fields.id.clone(),
        tenant: visit.caller.scope.tenant.clone(),
        authority,
        name: fields.name.clone(),
        settings,
        version: seen.saturating_add(1),
        updated_at: Timestamp::default(),
    };
    match console.broker.put_partner_or_ask(&visit.caller, partner, asking::reason(sent).ok()).await {
        Ok(DoneOrAsked::Done(partner)) => look.onward(&format!("/partners/{}?done=saved", partner.id)),
        Ok(DoneOrAsked::Asked(asked)) => asking::onward(look, &asked),
        Err(broker::Error::Model(model::Error::Invalid { field })) => {
            again(console, look, fields, kept, if field.starts_with("settings") { "settings" } else { field })
        }
        Err(error) => page::failed(look, &error),
    }
}

fn again(console: &Console, look: &Look, fields: &Fields, kept: Option<&Partner>, wrong: &str) -> Response {
    let field = match wrong {
        "id" => look.of_two("den Kurznamen", "the short name"),
        "authority" => look.of_two("die Behördenkennung", "the key of the authority"),
        "name" => look.of_two("den Namen", "the name"),
        "reason" => look.of_two("die Begründung", "the reason"),
        _ => look.of_two("die Vereinbarungen", "the agreements"),
    };
    let title = look.of_two("Partner anlegen oder ändern", "Add or change a partner");
    page::with_status(
        look,
        StatusCode::UNPROCESSABLE_ENTITY,
        title,
        &html! {
            (page::alert(&format!("{}{field}.", look.of_two("Bitte prüfen Sie ", "Please look at "))))
            (form(console, look, kept, fields, Some(wrong)))
        },
    )
}
