//! Calls at the doors: what providers say, and what others say in their name.

use broker::NoticeDoor;
use model::Id;
use model::payment::provider::Notice;
use model::payment::{ClearingReason, TruthState};

use super::acts::{Act, History, Outcome, pick, wants};
use super::world::{Call, Flavour, State, field, query};

impl History<'_> {
    /// A provider makes the call that it owes longest, until it is acknowledged.
    pub async fn genuine(&mut self, a: u32) -> Outcome {
        let call = {
            let state = self.desk.world.state();
            // They need not come in their order.
            let Some(at) = pick(state.due.len().min(3), a) else { return Ok(()) };
            state.due[at].clone()
        };
        if self.knock(&call).await? == 200 {
            self.desk.world.state().due.retain(|it| it.query != call.query);
        }
        Ok(())
    }

    pub async fn false_call(&mut self, act: Act, a: u32, b: u32) -> Outcome {
        let call = {
            let mut state = self.desk.world.state();
            state.serial += 1;
            let serial = state.serial;
            let of = |request: &String, cents, serial, mark| Call {
                request: request.clone(),
                query: query(request, TruthState::Paid, cents, serial, mark),
            };
            match act {
                Act::Replay => pick(state.made.len(), a).map(|at| state.made[at].clone()),
                _ => pick(state.held.len(), a).and_then(|at| state.held.iter().nth(at)).map(
                    |(request, held)| {
                        let cents = held.order.amount_cents;
                        // Also under the name of a call that is still to come.
                        let known = state.due.iter().find(|it| it.request == *request);
                        let named = known.and_then(|it| field(&it.query, "n").parse().ok()).unwrap_or(serial);
                        match act {
                            Act::Forged => of(request, cents, named, "bad"),
                            Act::Differs => of(request, cents + 1 - i64::from(b % 3), serial, "ok"),
                            _ => of(request, cents, serial, "ok"),
                        }
                    },
                ),
            }
        };
        let Some(call) = call else { return Ok(()) };
        self.knock(&call).await.map(drop)
    }

    /// A call at the provider's door, and what is to come of it.
    pub async fn knock(&mut self, call: &Call) -> Result<u16, String> {
        let (flavour, token) = {
            let state = self.desk.world.state();
            let Some(held) = state.held.get(&call.request) else { return Ok(200) };
            let token = held.order.notify_url.rsplit('/').next().unwrap_or_default().to_owned();
            (state.flavour_of(held.payment), token)
        };
        let notice =
            Notice { method: "GET".into(), query: call.query.clone(), headers: vec![], body: vec![] };
        let answer = self.desk.broker().notice(flavour.id, &token, NoticeDoor::Notify, notice).await;
        let answer = answer.map_err(|error| format!("a call was not taken: {error}"))?;
        let expected = self.desk.world.state().called(flavour, call);
        wants(answer.status == expected, || format!("a call got {}, not {expected}", answer.status))?;
        Ok(expected)
    }

    /// Nobody's tokens, and calls that have another form.
    pub async fn strange(&mut self, a: u32, b: u32) -> Outcome {
        let (flavour, notify, comes_back) = {
            let state = self.desk.world.state();
            let Some(at) = pick(state.held.len(), a) else { return Ok(()) };
            let Some(held) = state.held.values().nth(at) else { return Ok(()) };
            let token = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
            (state.flavour_of(held.payment), token(&held.order.notify_url), token(&held.order.return_url))
        };
        let (door, token, method, size, status) = match b % 5 {
            0 => (NoticeDoor::Notify, "A".repeat(22), "GET", 10, 400),
            1 => (NoticeDoor::Notify, comes_back, "GET", 10, 400),
            2 => (NoticeDoor::Return, notify, "GET", 10, 404),
            3 => (NoticeDoor::Notify, notify, "POST", 10, 405),
            _ => (NoticeDoor::Notify, notify, "GET", 1_025, 413),
        };
        let notice = Notice { method: method.into(), query: "x".repeat(size), headers: vec![], body: vec![] };
        let answer = self.desk.broker().notice(flavour.id, &token, door, notice).await;
        let answer = answer.map_err(|error| error.to_string())?.status;
        wants(answer == status, || format!("a strange call got {answer}, not {status}"))
    }

    fn return_call(&self, a: u32, b: u32) -> Option<(Id, impl Future<Output = u16> + use<>)> {
        let state = self.desk.world.state();
        let held = state.held.values().nth(pick(state.held.len(), a)?)?;
        let token = held.order.return_url.rsplit('/').next()?.to_owned();
        let query = format!("paid=true&n={}", b % 4);
        let flavour = state.flavour_of(held.payment);
        let notice = Notice { method: "GET".into(), query, headers: vec![], body: vec![] };
        let broker = self.desk.broker();
        let call = async move {
            let answer = broker.notice(flavour.id, &token, NoticeDoor::Return, notice).await;
            answer.map_or(0, |answer| answer.status)
        };
        Some((held.payment, call))
    }

    /// The payer's browser says that all is paid. It is asked about.
    pub async fn comes_back(&mut self, a: u32, b: u32) -> Outcome {
        let Some((payment, call)) = self.return_call(a, b) else { return Ok(()) };
        let status = call.await;
        self.desk.world.state().owed_looks.insert(payment);
        wants(status == 200, || format!("a payer came back to {status}"))
    }

    /// Payers come back while the jobs are done.
    pub async fn rush(&mut self, a: u32, b: u32) {
        self.desk.pass(u64::from(b % 40));
        let calls = [self.return_call(a, b), self.return_call(a, b / 7), self.return_call(b, a)];
        let calls = futures::future::join_all(calls.into_iter().flatten().map(|(_, call)| call));
        let broker = self.desk.broker();
        self.desk.call(async move { tokio::join!(calls, broker.run_due_jobs()) }).await;
    }
}

impl State {
    /// What has to come of a call: the status of its answer. What it says is told if it cannot be, once; paid is nothing by it.
    fn called(&mut self, flavour: Flavour, call: &Call) -> u16 {
        self.made.push(call.clone());
        let Some(held) = self.held.get(&call.request) else { return 400 };
        let (id, asked) = (held.payment, held.order.amount_cents);
        let Some(paid) = self.ledger.payment(id) else { return 400 };
        if field(&call.query, "m") != "ok" {
            return 400;
        }
        if !paid.known {
            return 503;
        }
        let name = field(&call.query, "n");
        let key = if flavour.named { format!("{id} {name}") } else { format!("{id} {}", call.query) };
        let first = self.taken.insert(key);
        let cents = field(&call.query, "a").parse().unwrap_or(0);
        if first && cents != asked {
            paid.tell((ClearingReason::CallbackDiffers, Some(cents), None));
        }
        if first || !flavour.named {
            self.owed_looks.insert(id);
        }
        200
    }
}
