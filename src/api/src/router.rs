//! The router made from the list of routes: who is let through, and what becomes of everything else.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use model::{Action, Caller};

use crate::answer::Answer;
use crate::problem::Problem;
use crate::route::{Needs, Route};
use crate::routes::routes;
use crate::{Api, BASE, auth, meter};

/// The interface as a router.
pub fn router(api: Api) -> Router {
    meter::start();
    let (open, closed): (Vec<Route>, Vec<Route>) =
        routes().into_iter().partition(|route| route.needs == Needs::Nothing);
    collect(closed)
        .route_layer(from_fn_with_state(api.clone(), auth::require))
        .merge(collect(open))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn(without_panic))
        .layer(from_fn(meter::around))
        .with_state(api)
}

/// A defect of ours ends one request, with an answer. What the panic says stays inside.
pub(crate) async fn without_panic(request: Request, next: Next) -> Response {
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    answer.unwrap_or_else(|_| Problem::from(broker::Error::Internal).into_response())
}

fn collect(routes: Vec<Route>) -> Router<Api> {
    let add = |all: Router<Api>, route: Route| {
        let handler = match route.needs {
            Needs::Right(action) => {
                let let_through = move |request: Request, next: Next| with_right(action, request, next);
                route.handler.route_layer(from_fn(let_through))
            }
            Needs::Nothing | Needs::Token => route.handler,
        };
        all.route(&format!("{BASE}{}", route.path), handler)
    };
    routes.into_iter().fold(Router::new(), add)
}

/// Lets through whoever has the right that the route names. The broker looks at it as well; here nothing of the request is read, and nothing is
/// looked for, so the answer does not depend on what there is.
async fn with_right(action: Action, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>();
    let may = caller.map_or(Err(model::Error::Forbidden), |caller| caller.may(action).map(|_| ()));
    match may {
        Ok(()) => next.run(request).await,
        Err(error) => Problem::from(error).into_response(),
    }
}

async fn no_route() -> Answer {
    Err(Problem::new(StatusCode::NOT_FOUND, "api.no-route"))
}

async fn no_method() -> Answer {
    Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "api.no-method"))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use futures::StreamExt;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_and_tells_nothing() {
        async fn fails() -> StatusCode {
            panic!("geheim")
        }
        let router = Router::new().route("/", get(fails)).layer(from_fn(without_panic));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = response.into_body().into_data_stream().next().await.unwrap().unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("broker.internal") && !body.contains("geheim"), "{body}");
    }
}
