//! One route: method, path, handler, and everything the OpenAPI document and the tests need to know of it.

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use model::{Action, Role};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::Api;

/// The schema of a type, made within the document that is being built.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nobody has to be known.
    Nothing,
    /// Any token.
    Token,
    /// A token with a role that allows this.
    Right(Action),
}

impl Needs {
    /// The roles that may call the route; `None` if it takes no role.
    pub(crate) fn roles(self) -> Option<Vec<Role>> {
        let Needs::Right(action) = self else { return None };
        Some(Role::ALL.into_iter().filter(|role| role.actions().contains(&action)).collect())
    }
}

/// What a route takes as its body.
#[derive(Clone, Copy)]
pub(crate) enum Takes {
    Nothing,
    /// JSON of a type.
    Json(SchemaOf),
    /// The same, or nothing.
    MayJson(SchemaOf),
    /// A JSON merge patch on a record.
    Patch(SchemaOf),
    /// Bytes of these media types.
    Raw(&'static [&'static str]),
}

/// What a route gives if all goes well.
#[derive(Clone, Copy)]
pub(crate) enum Gives {
    Nothing,
    /// JSON of a type.
    Json(SchemaOf),
    /// Bytes of this media type.
    Raw(&'static str),
    /// Bytes of one of these media types, as `Accept` wants it.
    OneOf(&'static [&'static str]),
}

/// What `If-Match` means to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMatch {
    Optional,
    Required,
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
    /// Name of the operation, unique.
    pub(crate) id: &'static str,
    /// What it does, in one sentence.
    pub(crate) summary: &'static str,
    pub(crate) query: Option<SchemaOf>,
    /// Whether `If-Match` is looked at, and whether it must be there.
    pub(crate) if_match: Option<IfMatch>,
    pub(crate) takes: Takes,
    pub(crate) status: u16,
    pub(crate) gives: Gives,
    /// Whether a second person may have to agree first: 202 with what was asked for.
    pub(crate) may_ask: bool,
    /// Whether there may be nothing to give (204).
    pub(crate) or_nothing: bool,
    /// Whether what is there may be in a state in which it is not given (409).
    pub(crate) by_state: bool,
    pub(crate) handler: MethodRouter<Api>,
}

impl Route {
    fn new<H, T>(
        filter: MethodFilter,
        method: Method,
        path: &'static str,
        id: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Api>,
        T: 'static,
    {
        Route {
            method,
            path,
            needs: Needs::Token,
            id,
            summary: "",
            query: None,
            if_match: None,
            takes: Takes::Nothing,
            status: 200,
            gives: Gives::Nothing,
            may_ask: false,
            or_nothing: false,
            by_state: false,
            handler: on(filter, handler),
        }
    }

    pub(crate) fn get<H: Handler<T, Api>, T: 'static>(
        path: &'static str,
        id: &'static str,
        handler: H,
    ) -> Self {
        Route::new(MethodFilter::GET, Method::GET, path, id, handler)
    }

    pub(crate) fn post<H: Handler<T, Api>, T: 'static>(
        path: &'static str,
        id: &'static str,
        handler: H,
    ) -> Self {
        Route::new(MethodFilter::POST, Method::POST, path, id, handler)
    }

    pub(crate) fn put<H: Handler<T, Api>, T: 'static>(
        path: &'static str,
        id: &'static str,
        handler: H,
    ) -> Self {
        Route::new(MethodFilter::PUT, Method::PUT, path, id, handler)
    }

    pub(crate) fn patch<H: Handler<T, Api>, T: 'static>(
        path: &'static str,
        id: &'static str,
        handler: H,
    ) -> Self {
        Route::new(MethodFilter::PATCH, Method::PATCH, path, id, handler)
    }

    pub(crate) fn delete<H: Handler<T, Api>, T: 'static>(
        path: &'static str,
        id: &'static str,
        handler: H,
    ) -> Self {
        Route::new(MethodFilter::DELETE, Method::DELETE, path, id, handler)
    }

    pub(crate) fn says(self, summary: &'static str) -> Self {
        Route { summary, ..self }
    }

    pub(crate) fn needs(self, action: Action) -> Self {
        Route { needs: Needs::Right(action), ..self }
    }

    pub(crate) fn open(self) -> Self {
        Route { needs: Needs::Nothing, ..self }
    }

    pub(crate) fn query<Q: JsonSchema>(self) -> Self {
        Route { query: Some(|generator| Q::json_schema(generator)), ..self }
    }

    pub(crate) fn takes<B: JsonSchema>(self) -> Self {
        Route { takes: Takes::Json(|generator| generator.subschema_for::<B>()), ..self }
    }

    pub(crate) fn may_take<B: JsonSchema>(self) -> Self {
        Route { takes: Takes::MayJson(|generator| generator.subschema_for::<B>()), ..self }
    }

    pub(crate) fn patches<R: JsonSchema>(self) -> Self {
        let takes = Takes::Patch(|generator| generator.subschema_for::<R>());
        Route { takes, if_match: Some(IfMatch::Required), ..self }
    }

    pub(crate) fn may_match(self) -> Self {
        Route { if_match: Some(IfMatch::Optional), ..self }
    }

    pub(crate) fn takes_raw(self, media_types: &'static [&'static str]) -> Self {
        Route { takes: Takes::Raw(media_types), ..self }
    }

    pub(crate) fn gives<A: JsonSchema>(self, status: u16) -> Self {
        Route { status, gives: Gives::Json(|generator| generator.subschema_for::<A>()), ..self }
    }

    pub(crate) fn gives_raw(self, media_type: &'static str) -> Self {
        Route { gives: Gives::Raw(media_type), ..self }
    }

    pub(crate) fn gives_one_of(self, media_types: &'static [&'static str]) -> Self {
        Route { gives: Gives::OneOf(media_types), ..self }
    }

    pub(crate) fn may_ask(self) -> Self {
        Route { may_ask: true, ..self }
    }

    pub(crate) fn or_nothing(self) -> Self {
        Route { or_nothing: true, ..self }
    }

    pub(crate) fn by_state(self) -> Self {
        Route { by_state: true, ..self }
    }

    pub(crate) fn gives_nothing(self, status: u16) -> Self {
        Route { status, ..self }
    }
}
