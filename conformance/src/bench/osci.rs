//! What OSCI-Transport 1.2 costs: orders at a whole gateway that is an intermediary, making and reading of large messages,
//! and the gateway's memory with a large attachment.
//!
//! RSA with the private key takes most of an order, and nobody can save it: what it takes is measured in the same rounds
//! with the same OpenSSL and the same keys, on as many threads as there are processors, and told apart.

mod house;
mod people;

use std::path::Path;
use std::time::Duration;

use ::osci::client::{NewOrder, Ordered};
use ::osci::message::SelectionRule;
use ::osci::package::Package;
use ::osci::transport::{Limits, open};
use seal::algorithm::{BlockCipher, Policy};
use seal::xmlenc::{ContentKey, OaepHash, Receiver};
use serde::Serialize;

use super::memory::Watch;
use super::wire::{self, Run};
use super::{median, rounded};
use crate::Error;
use crate::gateway::{Engine, cpu_us};
use crate::simulate::story::verify;
use house::House;
use people::{METHOD, Noise, People, failed, said};

/// Rounds; each measures everything but memory once.
const ROUNDS: usize = 5;
/// Orders of a round.
const ORDERS: usize = 400;
/// Connections.
const CONNECTIONS: usize = 16;
/// Bytes of the content of an order, of a large message, and of the attachment.
const SMALL: u64 = 10_000;
const LARGE: u64 = 1_000_000;
const ATTACHED: u64 = 300_000_000;
/// Large messages that are made, and read, in each round.
const MESSAGES: usize = 25;
/// Times that each thread does both operations with the private keys, in each half of a round.
const OPERATIONS: u32 = 150;
/// Pause before the gateway counts as idle.
const SETTLE: Duration = Duration::from_secs(2);

/// Outcome of `bench osci`: medians of the rounds. CPU is user and system time of the whole process.
#[derive(Debug, Clone, Serialize)]
pub struct OsciFigures {
    /// The gateway's engine.
    pub engine: &'static str,
    /// StoreDelivery orders answered per second, with 16 connections.
    pub stores_per_s: f64,
    /// Latency that 99 of 100 kept, in milliseconds.
    pub p99_ms: f64,
    /// CPU of the gateway for each, in milliseconds, evidence sealed.
    pub cpu_ms_per_store: f64,
    /// CPU of what it does of that with private keys: one RSA decryption, one signature.
    pub private_key_ops_ms: f64,
    /// The difference of the two.
    pub cpu_ms_beyond_private_key_ops: f64,
    /// Bytes of such an order.
    pub store_bytes: u64,
    /// CPU of making a StoreDelivery of 1 MB, in milliseconds.
    pub build_1mb_cpu_ms: f64,
    /// CPU of decrypting, reading and verifying it as an intermediary does, in milliseconds.
    pub parse_1mb_cpu_ms: f64,
    /// Bytes of that message.
    pub message_1mb_bytes: u64,
    /// Peak of the gateway's resident memory above idle, in MB (10⁶ bytes): a delivery with an attachment of 300 MB comes
    /// in, and is fetched.
    pub peak_mb_300: f64,
    /// The same of each direction.
    pub peak_mb_300_in: f64,
    /// Out.
    pub peak_mb_300_out: f64,
    /// Which OpenSSL.
    pub openssl: &'static str,
    /// What was measured.
    pub command: &'static str,
}

/// Measures. `keys` is the folder of the key pairs.
///
/// # Errors
/// If the gateway refuses an order, or changes a byte.
pub async fn osci(binary: &Path, engine: &Engine, keys: &Path) -> Result<OsciFigures, Error> {
    let people = People::read(keys)?;
    let (peak_mb_300_in, peak_mb_300_out) = memory(binary, engine, keys, &people).await?;
    let house = House::start(binary, engine, keys).await?;
    let mut rounds = vec![];
    for _ in 0..ROUNDS {
        rounds.push(round(&house, &people).await?);
    }
    house.gateway.remove().await?;
    let of = |value: fn(&Round) -> f64| rounded(median(rounds.iter().map(value)));
    let last = rounds.last().map_or((0, 0), |round| (round.store_bytes, round.large_bytes));
    Ok(OsciFigures {
        engine: engine.name(),
        stores_per_s: of(|round| round.run.rate()),
        p99_ms: of(|round| round.run.p99_ms()),
        cpu_ms_per_store: of(|round| round.cpu),
        private_key_ops_ms: of(|round| round.operations),
        cpu_ms_beyond_private_key_ops: of(|round| round.cpu - round.operations),
        store_bytes: last.0,
        build_1mb_cpu_ms: of(|round| round.build),
        parse_1mb_cpu_ms: of(|round| round.parse),
        message_1mb_bytes: last.1,
        peak_mb_300: rounded(peak_mb_300_in.max(peak_mb_300_out)),
        peak_mb_300_in: rounded(peak_mb_300_in),
        peak_mb_300_out: rounded(peak_mb_300_out),
        openssl: openssl::version::version(),
        command: "POST /osci: StoreDelivery with 10 KB of Base64Content, signed by its author, encrypted for one reader; \
                  order signed and encrypted (RSA 3072, SHA-256, AES-256-GCM, RSA-OAEP), answer likewise. Orders are made \
                  and GetMessageId is asked before the clock starts; counted is all CPU of the gateway from the first \
                  order until the evidence of all is sealed. Load generator on the same machine",
    })
}

/// One round.
struct Round {
    run: Run,
    store_bytes: u64,
    large_bytes: u64,
    /// CPU in milliseconds, each.
    cpu: f64,
    operations: f64,
    build: f64,
    parse: f64,
}

async fn round(house: &House, people: &People) -> Result<Round, Error> {
    let client = people.sender();
    let mut orders = vec![];
    for _ in 0..ORDERS {
        let id = house.message_id(&client).await?;
        let content = people.content(people::Kind::Inline, &mut Noise::new(SMALL))?;
        orders.push(people.store(&client, &id, &content)?);
    }
    let requests =
        orders.iter().map(|order| people::request(&order.package)).collect::<Result<Vec<_>, _>>()?;
    house.sealed().await?;

    let before = private_key_operations(people)?;
    let cpu = house.gateway.cpu_us()?;
    let (run, answers) = wire::answers(&house.base(), requests, CONNECTIONS, 200).await?;
    house.sealed().await?;
    let cpu = (house.gateway.cpu_us()? - cpu) / 1e3 / ORDERS as f64;
    let operations = f64::midpoint(before, private_key_operations(people)?);
    for (index, answer) in &answers {
        let ordered = orders.get(*index).ok_or_else(|| Error::Unverified("an order".to_owned()))?;
        said(&client.answer(ordered, answer.as_slice()).map_err(failed)?, "0800")?;
    }

    let store_bytes = orders.first().map_or(0, |order| order.package.length());
    let (large, build) = cpu_ms(MESSAGES, || {
        let content = people.content(people::Kind::Inline, &mut Noise::new(LARGE))?;
        people.store(&client, "amtsbote.0123456789abcdef0123456789abcdef", &content)
    })?;
    let ((), parse) = cpu_ms(MESSAGES, || take(people, &large))?;
    let large_bytes = large.package.length();
    Ok(Round { run, store_bytes, large_bytes, cpu, operations, build, parse })
}

/// What an intermediary does with a request before it carries it out.
fn take(people: &People, order: &Ordered) -> Result<(), Error> {
    let (policy, limits) = (Policy::default(), Limits::default());
    let keys = std::slice::from_ref(&people.intermediary_cipher);
    let opened = open(order.package.open(), keys, &policy, &limits).map_err(failed)?;
    let mut package = Package::open(opened.package, &limits).map_err(failed)?;
    let unverified = package.read().map_err(failed)?;
    unverified.verify(&policy).map(drop).map_err(failed)
}

/// Does something `times`; returns the last outcome and the CPU of each, in milliseconds.
fn cpu_ms<T>(times: usize, mut act: impl FnMut() -> Result<T, Error>) -> Result<(T, f64), Error> {
    let before = cpu_us("self")?;
    let mut last = act()?;
    for _ in 1..times {
        last = act()?;
    }
    Ok((last, (cpu_us("self")? - before) / 1e3 / times as f64))
}

/// CPU of what an order costs with private keys, in milliseconds: the intermediary opens its key and signs the answer.
fn private_key_operations(people: &People) -> Result<f64, Error> {
    let policy = Policy::default();
    let (cipher, certificate) = (BlockCipher::Aes256Gcm, people.intermediary_cipher.certificate());
    let key = ContentKey::random(cipher).map_err(failed)?;
    let wrapped = key.wrap(&policy, certificate, OaepHash::Sha256, Receiver::Unnamed).map_err(failed)?;
    let both = || {
        for _ in 0..OPERATIONS {
            wrapped.open(&policy, &people.intermediary_cipher, cipher).map_err(failed)?;
            people.intermediary_signer.sign_digest(&policy, METHOD, &[7; 32]).map_err(failed)?;
        }
        Ok(())
    };
    let threads = std::thread::available_parallelism()?.get();
    let ((), cpu) = cpu_ms(1, || {
        std::thread::scope(|scope| {
            let working: Vec<_> = (0..threads).map(|_| scope.spawn(both)).collect();
            working.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| Err(Error::Unverified("a thread ends well".to_owned())))
            })
        })
    })?;
    Ok(cpu / f64::from(OPERATIONS) / threads as f64)
}

/// Peaks of the gateway's memory above idle, in MB: a large attachment comes in, and is fetched.
async fn memory(binary: &Path, engine: &Engine, keys: &Path, people: &People) -> Result<(f64, f64), Error> {
    let house = House::start(binary, engine, keys).await?;
    // Warm: every way was gone once.
    pass(&house, people, SMALL, None).await?;
    tokio::time::sleep(SETTLE).await;
    let watch = Watch::start(&house.gateway)?;
    let peaks = pass(&house, people, ATTACHED, Some(&watch)).await?;
    house.gateway.remove().await?;
    Ok(peaks)
}

/// Stores a delivery with an attachment and fetches it; returns the peak of either way.
async fn pass(
    house: &House,
    people: &People,
    bytes: u64,
    watch: Option<&Watch>,
) -> Result<(f64, f64), Error> {
    let reset = || watch.map_or(Ok(()), Watch::reset);
    let peak = || watch.map_or(Ok(0.0), Watch::peak_mb);
    let (sender, recipient) = (people.sender(), people.recipient());
    let id = house.message_id(&sender).await?;
    let content = people.content(people::Kind::Attachment, &mut Noise::new(bytes))?;
    let order = people.store(&sender, &id, &content)?;
    drop(content);
    reset()?;
    said(&house.ask(&sender, &order).await?, "0800")?;
    let peak_in = peak()?;
    drop(order);

    let opened = house.order(&recipient, None, &NewOrder::InitDialog).await?;
    said(&opened, "0801")?;
    let rule = Some(SelectionRule::MessageIds(vec![id]));
    reset()?;
    let fetched = house.order(&recipient, opened.dialog.as_ref(), &NewOrder::Fetch(rule)).await?;
    let peak_out = peak()?;
    said(&fetched, "0801")?;
    verify(people.is_noise(&fetched, bytes)?, "every byte of the attachment arrives")?;
    Ok((peak_in, peak_out))
}
