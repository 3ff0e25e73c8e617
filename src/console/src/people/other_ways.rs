//! Other ways to sign in than with a password of this house.

use maud::{Markup, html};

use crate::Console;
use crate::page::Look;

/// What stands below the form of signing in; `to` is where one wants to go after it, if anywhere.
pub(super) fn other_ways(_: &Console, _: &Look, _to: Option<&str>) -> Markup {
    html! {}
}
