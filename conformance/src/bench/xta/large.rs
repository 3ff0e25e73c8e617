//! Memory of a gateway with a large content: it comes in, and is fetched. Every byte of the answer is compared.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Error;
use crate::bench::memory::Watch;
use crate::bench::wire;
use crate::gateway::{COUNTY_KEY, Engine};
use crate::simulate::story::verify;
use crate::xta::connection::Connection;
use crate::xta::house::{House, Keys, MANAGEMENT, MSGBOX, SEND, party};
use crate::xta::request::{self, Form, Message};

/// Bytes of a piece of a content; a multiple of three, so that base64 has seams there.
const PIECE: usize = 48 * 1024;
/// Pause before the gateway counts as idle.
const SETTLE: Duration = Duration::from_secs(2);
/// Most bytes of an answer before its content.
const BEFORE: usize = 64 * 1024;

/// Pieces of a content of 1 GB in a part of its own, and of 300 MB as base64.
fn pieces(form: Form) -> u64 {
    let bytes: u64 = if form == Form::Mtom { 1_000_000_000 } else { 300_000_000 };
    bytes.div_ceil(PIECE as u64)
}

/// A content as it goes over the wire, made as it is needed.
struct Pieces {
    form: Form,
    noise: Vec<u8>,
}

impl Pieces {
    fn new(form: Form) -> Self {
        Pieces { form, noise: (0..PIECE).map(|_| fastrand::u8(..)).collect() }
    }

    /// The piece with this number.
    fn piece(&mut self, number: u64) -> Vec<u8> {
        // No piece begins like XML, which contents are looked at for.
        self.noise[..8].copy_from_slice(&(number | 1 << 63).to_be_bytes());
        match self.form {
            Form::Mtom => self.noise.clone(),
            Form::Inline => STANDARD.encode(&self.noise).into_bytes(),
        }
    }
}

/// Peaks above idle in MB, in and out.
pub(super) async fn peaks(
    binary: &Path,
    engine: &Engine,
    keys: &Keys,
    form: Form,
) -> Result<(f64, f64), Error> {
    let house = House::start(binary, engine, keys, "").await?;
    // Warm: every way was gone once.
    pass(&house, form, 1, None).await?;
    tokio::time::sleep(SETTLE).await;
    let watch = Watch::start(&house.gateway)?;
    let peaks = pass(&house, form, pieces(form), Some(&watch)).await?;
    house.gateway.remove().await?;
    Ok(peaks)
}

/// Sends a content and fetches it; returns the peak of either way.
async fn pass(house: &House, form: Form, count: u64, watch: Option<&Watch>) -> Result<(f64, f64), Error> {
    let reset = || watch.map_or(Ok(()), Watch::reset);
    let peak = || watch.map_or(Ok(0.0), Watch::peak_mb);
    let mut pieces = Pieces::new(form);
    let mut author = house.author(0)?.connect().await?;
    let asked = request::create_message_id(MANAGEMENT, &party(0));
    let issued = request::issued(&wire::ask(&mut author, &asked, 200).await?);
    let id = issued.ok_or_else(|| Error::Unverified("a message id".to_owned()))?;
    reset()?;
    put(&mut author, &id, &mut pieces, count).await?;
    let peak_in = peak()?;
    let mut reader = house.reader.connect().await?;
    reset()?;
    fetch(&mut reader, &id, &mut pieces, count).await?;
    Ok((peak_in, peak()?))
}

async fn put(stream: &mut Connection, id: &str, pieces: &mut Pieces, count: u64) -> Result<(), Error> {
    let (author, length) = (party(0), count * PIECE as u64);
    let message = Message { author: &author, reader: COUNTY_KEY, id, file_name: "plan.bin", length };
    let around = request::around(SEND, &message, pieces.form);
    stream.write_all(&around.before).await?;
    for number in 0..count {
        stream.write_all(&pieces.piece(number)).await?;
    }
    stream.write_all(&around.behind).await?;
    stream.flush().await?;
    let (status, _) = wire::answer(stream).await?;
    verify(status == 200, "the content is taken in")
}

async fn fetch(stream: &mut Connection, id: &str, pieces: &mut Pieces, count: u64) -> Result<(), Error> {
    stream.write_all(&request::get_message(MSGBOX, COUNTY_KEY, id, pieces.form)).await?;
    stream.flush().await?;
    let wire::Head { status, length, mut read } = wire::head(stream).await?;
    verify(status == 200, "the content is handed out")?;
    let mut left = length - read.len();
    let first = pieces.piece(0);
    let begins = |read: &[u8]| read.windows(16).position(|window| window == &first[..16]);
    let start = loop {
        match begins(&read) {
            Some(start) => break start,
            None if read.len() > BEFORE => return Err(Error::Unverified("the content begins".to_owned())),
            None => left -= more(stream, &mut read).await?,
        }
    };
    read.drain(..start);
    for number in 0..count {
        let expected = pieces.piece(number);
        while read.len() < expected.len() {
            left -= more(stream, &mut read).await?;
        }
        verify(read.starts_with(&expected), "every byte of the content arrives")?;
        read.drain(..expected.len());
    }
    while left > 0 {
        left -= more(stream, &mut read).await?;
    }
    Ok(())
}

/// Reads on; the end would be too early.
async fn more(stream: &mut Connection, read: &mut Vec<u8>) -> Result<usize, Error> {
    match stream.read_buf(read).await? {
        0 => Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
        length => Ok(length),
    }
}
