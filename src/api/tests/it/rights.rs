//! Nothing is open without a token, and tokens are made of what their makers have. What each role may is walked by `cells`.

use api::Needs;
use serde_json::{Value, json};

use crate::gateway::{ALL_ROLES, Call, Gateway};
use crate::isolation::plausible;

#[tokio::test]
async fn every_route_needs_a_token() {
    let gateway = Gateway::start().await;
    let id = model::ids::new_id().to_string();
    let unknown = format!("amt_{}", "A".repeat(43));
    for route in api::routes() {
        for token in ["", "x", unknown.as_str(), "amt_", "amt_ä"] {
            let answer = gateway.call(token, plausible(&route, &id)).await;
            if route.needs == Needs::Nothing {
                answer.is(200);
                continue;
            }
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{} {}", route.method, route.path);
            assert_eq!(answer.is(401).code(), "api.unauthorized");
        }
    }
}

#[tokio::test]
async fn a_token_is_taken_from_its_own_header_field_only() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    gateway.call("", Call::get("/cases").with("authorization", format!("bearer {token}"))).await.is(200);
    for wrong in [
        Call::get(&format!("/cases?access_token={token}")),
        Call::get("/cases").with("cookie", format!("token={token}")),
        Call::get("/cases").with("authorization", format!("Basic {token}")),
        Call::get("/cases").with("authorization", token.clone()),
    ] {
        gateway.call("", wrong).await.is(401);
    }
    let twice = Call::get("/cases").with("authorization", format!("Bearer {token}"));
    gateway.call(&token, twice).await.is(401);
}

#[tokio::test]
async fn answers_carry_the_version_and_are_not_kept_by_caches() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    for path in ["/cases", "/schemas", "/schemas/Case", "/openapi.json"] {
        let answer = gateway.call(&token, Call::get(path)).await.is(200);
        assert_eq!(answer.header("api-version"), api::VERSION);
        assert_eq!(answer.header("cache-control"), "no-store");
        let _: Value = answer.json();
    }
    let wrong = gateway.call(&token, Call::new("DELETE", "/cases")).await.is(405);
    assert_eq!(wrong.code(), "api.no-method");
    assert!(wrong.header("allow").contains("POST"), "{wrong:?}");
    assert_eq!(gateway.call(&token, Call::get("/nothing")).await.is(404).code(), "api.no-route");
    assert_eq!(gateway.call(&token, Call::get("/cases/")).await.is(404).code(), "api.no-route");
}

#[tokio::test]
async fn whoever_acts_for_an_authority_names_no_other() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    for (path, title) in [("/case-files", "Akte"), ("/cases", "Vorgang")] {
        let with = |authority: &str| json!({ "unit": "63", "title": title, "authority": authority });
        let foreign = gateway.call(&token, Call::post(path).json(with("bab:05974028"))).await.is(403);
        assert_eq!(foreign.code(), "model.forbidden");
        gateway.call(&token, Call::post(path).json(with("bab:05974000"))).await.is(201);
    }
}

#[tokio::test]
async fn a_token_acts_for_the_authority_of_its_maker_unless_that_sees_all_units() {
    let gateway = Gateway::start().await;
    let one = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let all = gateway.token("soest", "*", "*", ALL_ROLES).await;
    let new = json!({ "name": "x", "roles": ["system"], "services": "all", "units": { "only": ["63"] } });
    let mut own = new.clone();
    own["authority"] = json!("bab:05974000");
    let refused = gateway.call(&one, Call::post("/tokens").json(new.clone())).await.is(403);
    assert_eq!(refused.code(), "model.forbidden");
    gateway.call(&one, Call::post("/tokens").json(own)).await.is(201);
    let made = gateway.call(&all, Call::post("/tokens").json(new)).await.is(201).json();
    let id = made["id"].as_str().unwrap();
    let seen = gateway.call(&one, Call::get("/tokens")).await.is(200).json();
    assert!(!seen.to_string().contains(id), "{seen}");
    gateway.call(&one, Call::new("DELETE", &format!("/tokens/{id}"))).await.is(404);
}

#[tokio::test]
async fn capabilities_tell_what_an_authority_takes_and_nothing_of_its_tenant() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let known = gateway.call(&token, Call::get("/capabilities/bab:05974028")).await.is(200);
    assert_eq!(known.json()["reads"][0]["standard"], "xdomea");
    assert!(!String::from_utf8_lossy(&known.body).contains("tenant"));
    for unknown in ["bab:1", "nonsense", "bab:%2e%2e"] {
        let answer = gateway.call(&token, Call::get(&format!("/capabilities/{unknown}"))).await.is(404);
        assert_eq!(answer.code(), "model.not-found");
    }
}
