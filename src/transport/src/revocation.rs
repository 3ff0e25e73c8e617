//! Whether certificates are revoked, for as long as the gateway runs: revocation lists (RFC 5280) are read again, and a
//! responder (RFC 6960) is asked, where the configuration names one. The addresses that certificates name themselves are
//! never called: whoever sends an order would choose them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use ::osci::intermediary::Inspector;
use model::Clock;
use model::outbound::ChosenBy;
use net::{Client, Egress, Method, Request};
use seal::x509::{Certificate, Inspection, MAX_OCSP_RESPONSE, OnlineResult, Trust};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

/// How often lists are read again.
const EVERY: Duration = Duration::from_secs(10 * 60);
/// Longest time of a question: a client waits for it.
const WITHIN: Duration = Duration::from_secs(5);
/// How long an answer counts.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);
/// How long a responder that has not answered is left alone, so that it does not make every order slow.
const LEFT_ALONE: Duration = Duration::from_secs(30);
/// Answers that are remembered.
const MOST: usize = 1_000;

/// Loads the trust once more; `None` if that fails now.
pub type Reread = Box<dyn Fn() -> Option<Trust> + Send + Sync>;

/// Who judges certificates.
pub struct Judging {
    /// Whom to trust.
    pub trust: Trust,
    /// Loads it once more: revocation lists change.
    pub reread: Reread,
    /// Address of a responder that is asked whether certificates are revoked.
    pub ocsp: Option<String>,
}

/// Judges certificates by what is known now.
pub(crate) struct Revocation {
    trust: RwLock<Arc<Trust>>,
    reread: Reread,
    responder: Option<Responder>,
}

/// A responder, and what it said lately.
pub(crate) struct Responder {
    url: String,
    client: Client,
    runtime: Handle,
    said: Mutex<Said>,
}

/// What was said of whom.
#[derive(Default)]
struct Said {
    /// By the certificates' fingerprints.
    answers: HashMap<String, Answer>,
    /// Until when nobody is asked.
    away_until: Option<Instant>,
}

#[derive(Clone)]
struct Answer {
    until: Instant,
    /// Nothing if the responder does not know the certificate.
    result: Option<OnlineResult>,
    der: Vec<u8>,
}

impl Revocation {
    /// Whether a responder is asked.
    pub(crate) fn asks(&self) -> bool {
        self.responder.is_some()
    }

    /// Judges as the settings say.
    ///
    /// # Errors
    /// [`net::Error`] if the responder's address is none.
    pub(crate) fn of(judging: Judging, clock: Arc<dyn Clock>) -> Result<Arc<Self>, net::Error> {
        let responder = judging.ocsp.map(|url| Responder::new(url, clock)).transpose()?;
        Ok(Revocation::new(judging.trust, judging.reread, responder))
    }

    /// Judges by `trust`, and by what is read in its place from time to time. To be called within a runtime.
    pub(crate) fn new(trust: Trust, reread: Reread, responder: Option<Responder>) -> Arc<Self> {
        let revocation = Arc::new(Revocation { trust: RwLock::new(Arc::new(trust)), reread, responder });
        tokio::spawn(keep_fresh(Arc::downgrade(&revocation), EVERY));
        revocation
    }

    fn trust(&self) -> Arc<Trust> {
        Arc::clone(&self.trust.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What cannot be read now leaves what was read before: a list that gets too old says nothing by itself.
    fn read_again(&self) {
        let Some(trust) = (self.reread)() else {
            tracing::warn!("revocation lists cannot be read again; the ones before are kept");
            return;
        };
        *self.trust.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(trust);
    }
}

async fn keep_fresh(revocation: Weak<Revocation>, every: Duration) {
    loop {
        sleep(every).await;
        let Some(revocation) = revocation.upgrade() else { return };
        let _ = spawn_blocking(move || revocation.read_again()).await;
    }
}

/// The inspector of an intermediary; the door keeps the same one fresh.
pub(crate) struct Shared(pub(crate) Arc<Revocation>);

impl Inspector for Shared {
    /// Must not be called on a thread of the runtime: it waits for the responder.
    fn inspect(&self, certificate: &Certificate, at: i64) -> seal::Result<Inspection> {
        let trust = self.0.trust();
        let found = trust.inspect(certificate, at)?;
        let (Some(responder), Some(issuer)) = (&self.0.responder, &found.issuer) else { return Ok(found) };
        if found.online == Some(OnlineResult::Revoked) {
            return Ok(found);
        }
        Ok(match responder.ask(&trust, certificate, issuer)? {
            Some(Answer { result: Some(result), der, .. }) => found.with_online(result, &der),
            _ => found,
        })
    }
}

impl Responder {
    /// The responder at this address, which the configuration names.
    ///
    /// # Errors
    /// [`net::Error`] if it is no address.
    pub(crate) fn new(url: String, clock: Arc<dyn Clock>) -> Result<Self, net::Error> {
        let client = Client::new(Egress::new(&[crate::host(&url)])?, net::Settings::default(), clock);
        Ok(Responder { url, client, runtime: Handle::current(), said: Mutex::default() })
    }

    /// What it says, or has said lately; nothing if it is away or what it says is no good.
    fn ask(
        &self,
        trust: &Trust,
        certificate: &Certificate,
        issuer: &Certificate,
    ) -> seal::Result<Option<Answer>> {
        if let Some(known) = self.remembered(certificate) {
            return Ok(known);
        }
        let question = trust.ocsp_request(certificate, issuer)?;
        let der = self.runtime.block_on(self.post(question));
        let judged = der.and_then(|der| {
            let result = trust.check_ocsp_response(certificate, issuer, &der).ok()?;
            Some(Answer { until: Instant::now() + REMEMBERED, result, der })
        });
        if judged.is_none() {
            tracing::warn!("the OCSP responder gives no answer that counts");
        }
        self.remember(certificate, judged.clone());
        Ok(judged)
    }

    /// `Some(None)` while the responder is left alone.
    fn remembered(&self, certificate: &Certificate) -> Option<Option<Answer>> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let known = said.answers.get(certificate.fingerprint()).filter(|answer| answer.until > now);
        match known {
            Some(answer) => Some(Some(answer.clone())),
            None => said.away_until.is_some_and(|until| until > now).then_some(None),
        }
    }

    fn remember(&self, certificate: &Certificate, answer: Option<Answer>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(answer) = answer else {
            said.away_until = Some(Instant::now() + LEFT_ALONE);
            return;
        };
        said.away_until = None;
        if said.answers.len() >= MOST {
            said.answers.clear();
        }
        said.answers.insert(certificate.fingerprint().to_owned(), answer);
    }

    async fn post(&self, question: Vec<u8>) -> Option<Vec<u8>> {
        let request = Request {
            method: Method::POST,
            url: self.url.clone(),
            chosen_by: ChosenBy::Administrator,
            headers: vec![("Content-Type".to_owned(), "application/ocsp-request".to_owned())],
            body: Some(question.into()),
            within: WITHIN,
            most_answer: MAX_OCSP_RESPONSE,
        };
        let answer = self.client.send(request).await.ok()?;
        (answer.status == 200).then_some(answer.body)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::{TcpListener, TcpStream};
    use std::process::{Child, Command, Stdio};

    use model::SystemClock;
    use seal::x509::Standing;

    use super::*;
    use crate::test_ca::TestCa;

    /// OpenSSL's own responder; it ends with the test, however that ends.
    struct Responding {
        child: Child,
        url: String,
    }

    impl Drop for Responding {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    /// It says at which port it listens; a connection without a question would end it.
    fn responder(ca: &TestCa) -> Responding {
        let arguments = "ocsp -index index.txt -CA ca.pem -rsigner ca.pem -rkey ca.key -ndays 1 -port 0";
        let mut command = Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(ca.path());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.split([':', ' ']).find_map(|word| word.parse::<u16>().ok());
        let port = port.unwrap_or_else(|| panic!("{line}"));
        Responding { child, url: format!("http://127.0.0.1:{port}/") }
    }

    fn now() -> i64 {
        SystemClock.now().micros() / 1_000_000
    }

    /// Where the certificate stands, and whether a responder's answer says so.
    async fn standing(of: &Arc<Revocation>, certificate: Certificate) -> (Standing, bool) {
        let inspector = Shared(Arc::clone(of));
        let found = spawn_blocking(move || inspector.inspect(&certificate, now()).unwrap()).await.unwrap();
        (found.standing(), found.ocsp.is_some())
    }

    #[tokio::test]
    async fn a_responder_is_asked_and_its_answer_remembered_for_a_while() {
        let ca = TestCa::build();
        let responding = responder(&ca);
        let responder = Responder::new(responding.url.clone(), Arc::new(SystemClock)).unwrap();
        let revocation = Revocation::new(ca.trust(), Box::new(|| None), Some(responder));
        let [good, bad, other] = ["good", "bad", "other"].map(|name| ca.certificate(name));
        assert_eq!(standing(&revocation, good.clone()).await, (Standing::Good, true));
        assert_eq!(standing(&revocation, bad.clone()).await, (Standing::Revoked, true));
        drop(responding);
        assert_eq!(standing(&revocation, other).await, (Standing::Incomplete, false), "nobody can be asked");
        assert_eq!(standing(&revocation, good).await, (Standing::Good, true), "as said before");
        assert_eq!(standing(&revocation, bad).await, (Standing::Revoked, true));
    }

    #[tokio::test]
    async fn a_responder_that_is_away_is_not_asked_by_every_order() {
        let ca = TestCa::build();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let calls = std::thread::spawn(move || {
            // Whoever calls is hung up on; the test's own last call ends the counting.
            listener
                .incoming()
                .take_while(|call| {
                    let mut first = [0];
                    let mut call = call.as_ref().unwrap();
                    std::io::Read::read(&mut call, &mut first).is_ok_and(|_| first != *b"E")
                })
                .count()
        });
        let responder = Responder::new(url.clone(), Arc::new(SystemClock)).unwrap();
        let revocation = Revocation::new(ca.trust(), Box::new(|| None), Some(responder));
        for name in ["good", "other", "bad"] {
            assert_eq!(
                standing(&revocation, ca.certificate(name)).await,
                (Standing::Incomplete, false),
                "{name}"
            );
        }
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        std::io::Write::write_all(&mut TcpStream::connect(address).unwrap(), b"E").unwrap();
        assert_eq!(calls.join().unwrap(), 1);
    }

    #[tokio::test]
    async fn a_new_list_counts_without_a_restart_and_an_unreadable_one_changes_nothing() {
        let ca = TestCa::build();
        let list = Mutex::new(Some(ca.trust().with_crls(vec![ca.list()])));
        let reread: Reread = Box::new(move || list.lock().unwrap().take());
        let revocation =
            Arc::new(Revocation { trust: RwLock::new(Arc::new(ca.trust())), reread, responder: None });
        assert_eq!(standing(&revocation, ca.certificate("bad")).await.0, Standing::Incomplete);
        let task = tokio::spawn(keep_fresh(Arc::downgrade(&revocation), Duration::from_millis(5)));
        while standing(&revocation, ca.certificate("good")).await.0 != Standing::Good {
            sleep(Duration::from_millis(5)).await;
        }
        // By now nothing can be read any more.
        sleep(Duration::from_millis(50)).await;
        assert_eq!(standing(&revocation, ca.certificate("good")).await.0, Standing::Good);
        assert_eq!(standing(&revocation, ca.certificate("bad")).await.0, Standing::Revoked);
        drop(revocation);
        task.await.unwrap();
    }
}
