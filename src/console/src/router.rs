//! The router made from the list of routes: who is let through to which page.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get};

use crate::page::{self, Look};
use crate::route::{Needs, Route};
use crate::visit::{self, Visit};
use crate::{BASE, Console, desk, operate, people};

/// Every page and act, in the order of the navigation.
pub fn routes() -> Vec<Route> {
    [operate::routes(), desk::routes(), people::routes()].concat()
}

/// All pages as a router, with their whole paths.
pub fn router(console: Console) -> Router {
    let routes = routes();
    let pages: BTreeSet<&str> =
        routes.iter().filter(|it| it.method == Method::GET).map(|it| it.path).collect();
    let add = |all: Router<Console>, route: Route| {
        let (needs, has_address) = (route.needs, pages.contains(route.path));
        let let_through = move |State(console): State<Console>, request: Request, next: Next| {
            let_through(console, needs, has_address, request, next)
        };
        let handler = route.handler.route_layer(from_fn_with_state(console.clone(), let_through));
        all.route(&format!("{BASE}{}", route.path), handler)
    };
    routes
        .into_iter()
        .fold(Router::new(), add)
        .route(BASE, get(async || Redirect::permanent("/console/")))
        .route(&format!("{BASE}/{{*path}}"), any(no_page))
        .merge(page::assets())
        .method_not_allowed_fallback(no_page)
        .with_state(console)
}

/// Lets a request through to its page, with its [`Visit`] and its [`Look`].
async fn let_through(
    console: Console,
    needs: Needs,
    has_address: bool,
    mut request: Request,
    next: Next,
) -> Response {
    let look = Look { has_address, ..Look::of(&console, &request) };
    let visit = match visit::of(&console, request.headers()).await {
        Ok(visit) => visit,
        Err(error) => return page::failed(&look, &error),
    };
    let refused = match (&visit, needs) {
        (None, Needs::Nothing) => false,
        (None, _) => return visit::to_sign_in(&look, &request),
        (Some(visit), needs) => !needs.lets_in(&visit.caller),
    };
    let look = Look { visit: visit.clone(), ..look };
    if refused {
        return page::forbidden(&look);
    }
    if !is_plain(request.uri()) {
        return page::missing(&look);
    }
    if let Some(visit) = visit {
        request.extensions_mut().insert::<Visit>(visit);
    }
    request.extensions_mut().insert(look);
    next.run(request).await
}

/// Whether an address holds only signs that documents and databases can carry.
fn is_plain(uri: &Uri) -> bool {
    let mut asked = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    // %00 to %1F.
    let names_controls = uri.path().contains("%0") || uri.path().contains("%1");
    !names_controls && asked.all(|(name, value)| pages::is_plain(&name) && pages::is_plain(&value))
}

async fn no_page(State(console): State<Console>, request: Request) -> Response {
    let look = Look::of(&console, &request);
    match visit::of(&console, request.headers()).await {
        Ok(visit) => page::missing(&Look { visit, ..look }),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}
