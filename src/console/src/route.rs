//! One page or act: method, path, the right that it needs, and its handler.

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use model::{Action, Caller, Scope};

use crate::Console;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nobody has to be known: signing in, styles.
    Nothing,
    /// Anybody who has signed in.
    Visit,
    /// Whoever has signed in with a role that allows this.
    Right(Action),
    /// Likewise, with one of these.
    AnyOf(&'static [Action]),
    /// Whoever has signed in with a role that allows this in the whole tenant.
    Whole(Action),
}

impl Needs {
    /// Whether somebody who has signed in may call it.
    pub(crate) fn lets_in(self, caller: &Caller) -> bool {
        match self {
            Needs::Nothing | Needs::Visit => true,
            Needs::Right(action) => caller.may(action).is_ok(),
            Needs::AnyOf(actions) => actions.iter().any(|action| caller.may(*action).is_ok()),
            Needs::Whole(action) => caller.may(action).is_ok_and(Scope::is_whole),
        }
    }
}

/// One route.
#[derive(Clone)]
pub struct Route {
    /// Method.
    pub method: Method,
    /// Path below [`BASE`](crate::BASE), with names in braces.
    pub path: &'static str,
    /// Who may call it.
    pub needs: Needs,
    pub(crate) handler: MethodRouter<Console>,
}

impl Route {
    /// A page.
    pub(crate) fn page<H: Handler<T, Console>, T: 'static>(
        path: &'static str,
        needs: Needs,
        handler: H,
    ) -> Self {
        Route { method: Method::GET, path, needs, handler: on(MethodFilter::GET, handler) }
    }

    /// An act: a form of ours that is sent.
    pub(crate) fn act<H: Handler<T, Console>, T: 'static>(
        path: &'static str,
        needs: Needs,
        handler: H,
    ) -> Self {
        Route { method: Method::POST, path, needs, handler: on(MethodFilter::POST, handler) }
    }
}
