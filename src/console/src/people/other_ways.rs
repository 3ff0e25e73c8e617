//! Other ways to sign in than with a password of this house.

use maud::Markup;

use super::oidc;
use crate::Console;
use crate::page::Look;

/// What stands below the form of signing in; `to` is where one wants to go after it, if anywhere.
pub(super) fn other_ways(console: &Console, look: &Look, to: Option<&str>) -> Markup {
    oidc::button(console, look, to)
}
