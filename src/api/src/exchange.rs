//! A router that can be exchanged for another while requests come: each is answered by the one that was there when it came.

use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

/// A router that can be exchanged. Clones are the same one.
#[derive(Clone)]
pub struct Exchangeable(Arc<RwLock<Router>>);

impl Exchangeable {
    /// Answers with `router` until it is exchanged.
    pub fn new(router: Router) -> Self {
        Exchangeable(Arc::new(RwLock::new(router)))
    }

    /// What comes from now on is answered by `router`; what is in hand ends as it began.
    pub fn exchange(&self, router: Router) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = router;
    }

    /// For [`serve`](crate::serve).
    pub fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    fn now(&self) -> Router {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn answer(State(current): State<Exchangeable>, request: Request) -> Response {
    match TowerToHyperService::new(current.now()).call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
