//! Signing in and out, one's own account, users and their rights, tokens of systems, approvals.
//!
//! | module | holds |
//! |---|---|
//! | `sign_in` | login and password, then a code; signing out |
//! | `set_up` | how a new user comes to a password and codes |
//! | `account` | one's own account |
//! | `users`, `user`, `rights` | users, one of them, and the fields of rights |
//! | `tokens` | tokens of systems |
//! | `cookie`, `to` | the cookie of a session, and where one goes after signing in |
//! | `parts` | forms that give rights, lists, secrets that are shown once |
//! | `said` | roles and rights in words |
//! | `other_ways`, `oidc` | other ways to sign in: by a provider of identities |
//! | `approvals`, `consequence` | what a second person has to agree to, and what happens then |

mod account;
mod approvals;
mod codes;
mod consequence;
mod cookie;
pub(crate) mod oidc;
mod other_ways;
mod parts;
mod rights;
mod said;
mod set_up;
mod sign_in;
mod to;
mod tokens;
mod user;
mod users;

use model::Action;

use crate::route::{Needs, Route};

const USERS: Needs = Needs::Right(Action::ManageUsers);
const TOKENS: Needs = Needs::Right(Action::ManageTokens);

/// The pages and acts around people.
pub(crate) fn routes() -> Vec<Route> {
    let own = vec![
        Route::page("/sign-in", Needs::Nothing, sign_in::page),
        Route::act("/sign-in", Needs::Nothing, sign_in::act),
        Route::page("/sign-in/code", Needs::Nothing, sign_in::code_page),
        Route::act("/sign-in/code", Needs::Nothing, sign_in::code_act),
        Route::act("/sign-out", Needs::Visit, sign_in::out),
        Route::page("/welcome", Needs::Nothing, set_up::welcome),
        Route::act("/welcome", Needs::Nothing, set_up::welcome_act),
        Route::page("/set-up", Needs::Nothing, set_up::page),
        Route::act("/set-up", Needs::Nothing, set_up::act),
        Route::page("/account", Needs::Visit, account::page),
        Route::act("/account/password", Needs::Visit, account::password),
        Route::act("/account/sessions/end", Needs::Visit, account::end_sessions),
        Route::page("/account/codes", Needs::Visit, codes::page),
        Route::act("/account/codes", Needs::Visit, codes::confirm),
        Route::act("/account/codes/remove", Needs::Visit, codes::remove),
        Route::act("/account/recovery", Needs::Visit, codes::recovery),
        Route::page("/users", USERS, users::page),
        Route::page("/users/new", USERS, users::new_page),
        Route::act("/users/new", USERS, users::add),
        Route::page("/users/{id}", USERS, user::page),
        Route::act("/users/{id}", USERS, user::change),
        Route::act("/users/{id}/state", USERS, user::state),
        Route::act("/users/{id}/reset", USERS, user::reset),
        Route::act("/users/{id}/sessions/end", USERS, user::end_sessions),
        Route::act("/users/{id}/waiting/lift", USERS, user::lift_waiting),
        Route::page("/tokens", TOKENS, tokens::page),
        Route::page("/tokens/new", TOKENS, tokens::new_page),
        Route::act("/tokens/new", TOKENS, tokens::add),
        Route::act("/tokens/{id}/end", TOKENS, tokens::end),
    ];
    [own, approvals::routes(), oidc::routes()].concat()
}
