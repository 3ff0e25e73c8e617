//! What the pages of users and of tokens have in common: the form that gives rights, the frame of a list, a secret that is shown once.

use maud::{Markup, html};
use model::Caller;

use super::rights::Rights;
use crate::Console;
use crate::asking::{self, Reason};
use crate::page::{self, Look};

/// A form that gives rights: its own fields, those of the rights, and why, where a second person has to agree.
pub(super) fn rights_form(
    console: &Console,
    look: &Look,
    caller: &Caller,
    (path, button): (&str, &str),
    (own, rights, reason): (&Markup, &Rights, Reason<'_>),
) -> Markup {
    html! {
        form method="post" action=(look.to(path)) {
            (look.form_token())
            div.card { (own) }
            (rights.fields(console, look, caller))
            (asking::field_if_wanted(console, look, reason))
            button.main type="submit" { (button) }
        }
    }
}

/// In German and in English.
type Both = (&'static str, &'static str);

/// A list of this name, with the heads of its columns.
pub(super) fn list(look: &Look, name: Both, heads: &[Both], rows: &Markup) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(look.of_two(name.0, name.1)) {
            table {
                thead { tr { @for head in heads { th scope="col" { (look.of_two(head.0, head.1)) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// A secret, which is shown now and never again: what to do with it, and what belongs to it.
pub(super) fn secret(look: &Look, what_to_do: Both, facts: &[(Both, Markup)]) -> Markup {
    html! {
        (page::done(look.of_two(what_to_do.0, what_to_do.1)))
        dl.card { @for (name, value) in facts { dt { (look.of_two(name.0, name.1)) } dd { (value) } } }
    }
}
