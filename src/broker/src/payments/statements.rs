//! Bank statements: what came is matched with what is owed.
//!
//! A statement is looked through before anything of it is taken, so one that is broken leaves nothing. Then its lines are taken in
//! slices, each with all that it does in one transaction. A line is known by the bank's own name for it, so a statement that comes
//! again, or goes on after an interruption, does nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::Stream;
use model::payment::day::german_day;
use model::payment::statement::Line;
use model::{Caller, Event, EventKind, Failure, FailureKind, Id, PayloadRef, ids};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{KnownLine, LineFilter, LineState, Listed, Page, Payload, StatementLine, StoredPayload, Work};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;

use super::bank::BankAccount;
use super::books::Books;
use super::lines::Became;
use super::proposals::Unsettled;
use crate::once::read;
use crate::{Broker, Error, Once, blocking};

/// Lines of one transaction.
const SLICE: usize = 100;

/// Longest text of a line that is kept, in characters, and longest name of a line.
const TEXT: usize = 2_000;
const NAME: usize = 200;

/// Space of the statements' digests.
const STATEMENTS: &str = "~statement";

/// What became of a bank statement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatementReport {
    /// The payload that it is kept as.
    pub statement: Id,
    /// Lines that are new.
    pub lines: u32,
    /// Lines that were known before: nothing came of them.
    pub known: u32,
    /// New lines that belong to a claim: money that came by itself, or went back.
    pub matched: u32,
    /// New lines by which money of online payments arrived.
    pub settled: u32,
    /// New lines that belong to nothing that is known.
    pub unmatched: u32,
}

impl Broker {
    /// Takes a bank statement. The same statement or line again has no effect. Lines of other bank accounts and lines that are only
    /// announced are passed over.
    ///
    /// # Errors
    /// `NoAccount` if there is no such account, `NoBankAccount` if it has no bank account; a failure `Rejected` if it is no
    /// statement, or none of this bank account.
    pub async fn take_statement(
        &self,
        caller: &Caller,
        account: &str,
        body: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin,
        once: Option<&Once>,
    ) -> Result<StatementReport, Error> {
        let account = self.kept(caller, account)?;
        let bank = self.payments()?.bank_of(account).ok_or(Error::NoBankAccount)?;
        let stored = self.stage(caller, body).await?;
        let once = once.map(|once| bound(once, stored.reference()));
        let once = once.as_ref();
        let statement = match self.look_through(caller, &bank, &stored, once).await {
            Ok(None) => self.keep_statement(caller, &bank, stored).await?,
            Ok(Some(first)) => {
                self.store().discard(stored).await;
                return read(first);
            }
            Err(error) => {
                self.store().discard(stored).await;
                return Err(error);
            }
        };
        let report = self.take_lines(caller, &bank, statement).await?;
        match self.commit_answer(caller, once, Work::new(), statement, report).await {
            Err(error) if error.is_conflict("dedup") => {
                read(self.answered(caller, once).await?.ok_or(error)?)
            }
            outcome => outcome,
        }
    }

    /// Reads the whole statement and keeps nothing of it. Gives the first answer, if the same was asked for before.
    async fn look_through(
        &self,
        caller: &Caller,
        bank: &BankAccount<'_>,
        stored: &StoredPayload,
        once: Option<&Once>,
    ) -> Result<Option<Value>, Error> {
        if let Some(first) = self.answered(caller, once).await? {
            return Ok(Some(first));
        }
        let content = self.store().open_stored(bank.tenant(), stored)?;
        let (statements, known) = (self.payments()?.clone(), bank.iban.clone());
        let (lines, ours) = blocking(move || {
            let (mut lines, mut ours) = (0_u64, 0_u64);
            let mut each = |line: Line| {
                lines += 1;
                ours += u64::from(super::bank::plain(&line.iban) == known);
                Ok(())
            };
            statements.statements.read(&mut content.blocking(), &mut each)?;
            Ok((lines, ours))
        })
        .await?;
        if lines > 0 && ours == 0 {
            let detail = "all lines are of other bank accounts";
            return Err(Failure::new(FailureKind::Rejected, "payment.statement-other", detail).into());
        }
        Ok(None)
    }

    /// The statement's bytes as evidence; those that were taken before stay what they are.
    async fn keep_statement(
        &self,
        caller: &Caller,
        bank: &BankAccount<'_>,
        stored: StoredPayload,
    ) -> Result<Id, Error> {
        let content = stored.reference().clone();
        let name = format!("{}:{}", bank.key, content.sha256);
        let known = self.store().reference_owner(bank.tenant(), STATEMENTS, &name).await;
        if let Ok(Some(known)) = known {
            self.store().discard(stored).await;
            return Ok(known);
        }
        let detail = json!({ "account": bank.account.id, "sha256": content.sha256 });
        let mut work = Work::new();
        work.take_reference(bank.tenant(), STATEMENTS, &name, content.id);
        work.insert_payload(bank.tenant(), &stored);
        work.insert_event(&Event {
            payloads: vec![content.clone()],
            ..self.of_account(bank.account, EventKind::StatementTaken, caller, detail)
        });
        let outcome = self.store().commit(work).await.map_err(Error::from);
        match self.tidied(stored, outcome).await {
            Ok(()) => Ok(content.id),
            Err(error) if error.is_conflict("reference") => {
                let known = self.store().reference_owner(bank.tenant(), STATEMENTS, &name).await?;
                known.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn take_lines(
        &self,
        caller: &Caller,
        bank: &BankAccount<'_>,
        statement: Id,
    ) -> Result<StatementReport, Error> {
        let content = self.store().open_payload(bank.tenant(), statement).await?;
        let mut report = StatementReport { statement, ..StatementReport::default() };
        let (mut slices, reading) = self.slices(content, bank.iban.clone())?;
        while let Some(slice) = slices.recv().await {
            report.add(&self.take_slice(caller, bank, statement, &slice).await?);
        }
        reading.await.map_err(|_| Error::Internal)??;
        Ok(report)
    }

    /// The booked lines of a bank account, a slice at a time: memory does not grow with the statement.
    #[allow(clippy::type_complexity, reason = "a channel and who fills it")]
    fn slices(
        &self,
        content: Payload,
        iban: String,
    ) -> Result<(Receiver<Vec<Line>>, JoinHandle<Result<(), Failure>>), Error> {
        let payments = self.payments()?.clone();
        let (sender, receiver) = channel(1);
        let send = move |slice: Vec<Line>| {
            let gone = "nobody takes the lines any more";
            let failure = |_| Failure::new(FailureKind::Transient, "broker.interrupted", gone);
            sender.blocking_send(slice).map_err(failure)
        };
        let reading = tokio::task::spawn_blocking(move || {
            let mut slice = vec![];
            let mut each = |line: Line| {
                if line.booked && super::bank::plain(&line.iban) == iban {
                    slice.push(within_limits(line));
                }
                if slice.len() < SLICE { Ok(()) } else { send(std::mem::take(&mut slice)) }
            };
            payments.statements.read(&mut content.blocking(), &mut each)?;
            send(slice)
        });
        Ok((receiver, reading))
    }

    /// Takes a slice. A line that a rule of the model refuses (its claim may be locked) is left to a human, and holds up no other.
    async fn take_slice(
        &self,
        caller: &Caller,
        bank: &BankAccount<'_>,
        statement: Id,
        lines: &[Line],
    ) -> Result<StatementReport, Error> {
        let take = |lines, left| move || self.try_slice(caller, bank, statement, lines, left);
        let outcome = self.anew(caller, None, take(lines, None)).await;
        if !is_refusal(&outcome) {
            return outcome;
        }
        let mut report = StatementReport::default();
        for line in lines {
            let line = std::slice::from_ref(line);
            let mut outcome = self.anew(caller, None, take(line, None)).await;
            if is_refusal(&outcome) {
                outcome = self.anew(caller, None, take(line, Some("refused"))).await;
            }
            report.add(&outcome?);
        }
        Ok(report)
    }

    /// One transaction. With `left` nothing is matched, and that is why.
    async fn try_slice(
        &self,
        caller: &Caller,
        bank: &BankAccount<'_>,
        statement: Id,
        lines: &[Line],
        left: Option<&'static str>,
    ) -> Result<StatementReport, Error> {
        let mut report = StatementReport::default();
        let last = self.store().last_count(bank.tenant(), &bank.counter()).await?;
        let mut known = self.lines_known(bank, lines).await?;
        let names = self.known_names(bank, lines).await?;
        let mut books = Books::open(self, bank.tenant(), &caller.actor);
        books.work.count_on(bank.tenant(), &bank.counter(), last);
        let mut unsettled = Unsettled::default();
        let mut done: Vec<StatementLine> = vec![];
        for line in lines {
            let used_twice = is_used_twice(line, &known);
            let aside = Line { id: name_aside(line), ..line.clone() };
            if known.contains_key(&aside.id) || (!used_twice && is_known(line, &known)) {
                report.known += 1;
                continue;
            }
            let line = if used_twice { &aside } else { line };
            let became = match left {
                Some(why) => Became::Unmatched(why),
                None if used_twice => Became::Unmatched("reference used twice"),
                None => self.place_line(&mut books, bank, (line, &names.of(line)), &done).await?,
            };
            let mut kept = self.kept_line(bank, statement, line);
            became.note(&mut kept);
            if kept.state == LineState::Unmatched {
                self.propose(bank, line, &mut kept, &mut unsettled).await?;
            }
            books.work.insert_line(&kept);
            report.count(kept.state);
            known.insert(kept.line.clone(), as_known(&kept));
            done.push(kept);
        }
        if !done.is_empty() {
            self.store().commit(books.work).await?;
        }
        Ok(report)
    }

    /// Names of lines that are known, among all by which these may be.
    async fn lines_known(
        &self,
        bank: &BankAccount<'_>,
        lines: &[Line],
    ) -> Result<BTreeMap<String, KnownLine>, Error> {
        let all = |line: &Line| [vec![line.id.clone(), name_aside(line)], other_names(&line.id)].concat();
        let names: BTreeSet<String> = lines.iter().flat_map(all).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Ok(self.store().known_lines(bank.tenant(), &bank.key, &names).await?)
    }

    fn kept_line(&self, bank: &BankAccount<'_>, statement: Id, line: &Line) -> StatementLine {
        StatementLine {
            id: ids::new_id(),
            tenant: bank.tenant().to_owned(),
            account: bank.key.clone(),
            line: line.id.clone(),
            statement,
            booked_on: Some(line.booked_on.clone().unwrap_or_else(|| german_day(self.now()))),
            amount_cents: line.amount_cents,
            credit: line.credit,
            state: LineState::Unmatched,
            payment: None,
            claim: None,
            body: written(line),
            version: 1,
        }
    }

    /// Lines of an account's statements.
    ///
    /// # Errors
    /// `NoAccount` if there is no such account; `NoBankAccount` if it has no bank account.
    pub async fn statement_lines(
        &self,
        caller: &Caller,
        account: &str,
        filter: &LineFilter,
        page: &Page,
    ) -> Result<Listed<StatementLine>, Error> {
        let account = self.kept(caller, account)?;
        let bank = self.payments()?.bank_of(account).ok_or(Error::NoBankAccount)?;
        let listed = self.store().statement_lines(bank.tenant(), &bank.key, filter, page).await?;
        let items = listed.items.into_iter().map(|line| bank.shown(line)).collect();
        Ok(Listed { items, next: listed.next })
    }
}

impl StatementReport {
    fn add(&mut self, slice: &StatementReport) {
        self.lines += slice.lines;
        self.known += slice.known;
        self.matched += slice.matched;
        self.settled += slice.settled;
        self.unmatched += slice.unmatched;
    }

    fn count(&mut self, state: LineState) {
        self.lines += 1;
        match state {
            LineState::Matched => self.matched += 1,
            LineState::Settled => self.settled += 1,
            LineState::Unmatched | LineState::Ignored => self.unmatched += 1,
        }
    }
}

/// The same key for another statement is another request.
fn bound(once: &Once, content: &PayloadRef) -> Once {
    let digest = seal::sha256(&[once.digest.as_bytes(), content.sha256.as_bytes()]).to_string();
    Once::new(once.key.clone(), digest)
}

/// A rule of the model refuses. That others were quicker is no such thing.
fn is_refusal<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Model(error)) if *error != model::Error::VersionConflict)
}

/// Whether a line is known: by its own name, or by another of the same money.
fn is_known(line: &Line, known: &BTreeMap<String, KnownLine>) -> bool {
    known.contains_key(&line.id) || other_names(&line.id).iter().any(|name| known.contains_key(name))
}

/// Whether the bank has used a line's name before, for other money.
fn is_used_twice(line: &Line, known: &BTreeMap<String, KnownLine>) -> bool {
    let money = (line.amount_cents, line.credit);
    known.get(&line.id).is_some_and(|known| (known.amount_cents, known.credit) != money)
}

/// The name of a line whose own name is used twice: with a digest of what money it is.
fn name_aside(line: &Line) -> String {
    let digest = seal::sha256(&[format!("{} {}", line.amount_cents, line.credit).as_bytes()]).to_string();
    format!("{}~{}", line.id, digest.chars().take(16).collect::<String>())
}

fn as_known(line: &StatementLine) -> KnownLine {
    KnownLine { id: line.id, amount_cents: line.amount_cents, credit: line.credit }
}

/// Names by which the same money may be known besides its own: banks tell a collective entry as a whole in one kind of statement and
/// divided (`#1`, `#2`, …) in another, so these may be of other amounts.
fn other_names(name: &str) -> Vec<String> {
    let mut names = vec![format!("{name}#1")];
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((whole, _)) = name.rsplit_once('#').filter(|(_, part)| is_part(part)) {
        names.push(whole.to_owned());
    }
    names
}

fn within_limits(mut line: Line) -> Line {
    if line.id.len() > NAME {
        line.id = seal::sha256(&[line.id.as_bytes()]).to_string();
    }
    if line.text.chars().count() > TEXT {
        line.text = line.text.chars().take(TEXT).collect();
    }
    // What the database cannot hold stands in no name.
    line.text.retain(|char| char != '\0');
    line
}

/// What is kept of a line beyond its columns.
fn written(line: &Line) -> Value {
    let mut body = json!(line);
    if let Some(members) = body.as_object_mut() {
        let told = ["id", "iban", "amountCents", "credit", "booked", "bookedOn"];
        members.retain(|name, value| !told.contains(&name.as_str()) && !value.is_null());
    }
    body
}

/// A line as it came, as far as it was kept.
pub(super) fn line_of(kept: &StatementLine) -> Result<Line, Error> {
    let mut body = kept.body.clone();
    let known = json!({
        "id": kept.line,
        "iban": "",
        "amountCents": kept.amount_cents,
        "credit": kept.credit,
        "booked": true,
        "bookedOn": kept.booked_on,
    });
    if let (Some(body), Value::Object(known)) = (body.as_object_mut(), known) {
        body.extend(known);
    }
    serde_json::from_value(body).map_err(|_| Error::Internal)
}
