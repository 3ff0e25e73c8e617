//! What stands between the gateway and a foreign system, so that it can die at an awkward moment: a line that loses a question or an answer,
//! and a gate at which a tool waits.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::house::until;

/// What a line loses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// The question never arrives.
    Question,
    /// The other side does what it is asked, and nobody hears of it.
    Answer,
}

#[derive(Default)]
struct State {
    /// What the next question that contains this loses.
    next: Mutex<Option<(Vec<u8>, Lost)>>,
    lost: Notify,
}

/// A line to a port of this machine.
pub(super) struct Line {
    pub(super) port: u16,
    state: Arc<State>,
}

impl Line {
    pub(super) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = Line { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let state = Arc::clone(&line.state);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, port, Arc::clone(&state)));
            }
        });
        line
    }

    /// The same address, but over this line.
    pub(super) fn instead(&self, url: &str) -> String {
        let rest =
            url.strip_prefix("http://127.0.0.1:").unwrap().trim_start_matches(|at: char| at.is_ascii_digit());
        format!("http://127.0.0.1:{}{rest}", self.port)
    }

    /// The next question that contains these words is lost, or its answer: its connection is silent from then on. Others are not.
    pub(super) fn lose(&self, what: Lost, words: &str) {
        *self.state.next.lock().unwrap() = Some((words.as_bytes().to_vec(), what));
    }

    /// Until something was lost.
    pub(super) async fn has_lost(&self) {
        let waits = tokio::time::timeout(Duration::from_secs(60), self.state.lost.notified());
        waits.await.expect("never asked");
    }
}

async fn carry(mut near: TcpStream, port: u16, state: Arc<State>) {
    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (mut question, mut answer) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        tokio::select! {
            read = near.read(&mut question) => {
                let Ok(length @ 1..) = read else { return };
                match state.loses(&question[..length]) {
                    None => if far.write_all(&question[..length]).await.is_err() { return },
                    Some(what) => return fall_silent(near, far, &question[..length], what, &state).await,
                }
            }
            read = far.read(&mut answer) => {
                let Ok(length @ 1..) = read else { return };
                if near.write_all(&answer[..length]).await.is_err() { return }
            }
        }
    }
}

/// Carries on what is asked or nothing, and never an answer; until the gateway hangs up.
async fn fall_silent(near: TcpStream, far: TcpStream, first: &[u8], what: Lost, state: &State) {
    let (mut question, mut answer) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let ((mut near, _near), (mut far, mut to_far)) = (near.into_split(), far.into_split());
    match what {
        Lost::Question => state.lost.notify_one(),
        Lost::Answer => to_far.write_all(first).await.unwrap(),
    }
    loop {
        tokio::select! {
            read = near.read(&mut question) => {
                let Ok(length @ 1..) = read else { return };
                if what == Lost::Answer && to_far.write_all(&question[..length]).await.is_err() { return }
            }
            read = far.read(&mut answer) => {
                if !matches!(read, Ok(1..)) { return }
                state.lost.notify_one();
            }
        }
    }
}

impl State {
    /// What this question loses.
    fn loses(&self, question: &[u8]) -> Option<Lost> {
        let mut next = self.next.lock().unwrap();
        let (words, _) = next.as_ref()?;
        let is_it = question.windows(words.len()).any(|window| window == &words[..]);
        if is_it { next.take().map(|(_, what)| what) } else { None }
    }
}

/// Where a tool waits before it begins.
pub(super) struct Gate {
    folder: PathBuf,
}

impl Gate {
    /// An open gate.
    pub(super) fn new(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(
            folder.join("gate.sh"),
            "gate=$1; shift\nwhile [ -e \"$gate/closed\" ]; do : > \"$gate/waits\"; sleep 0.05; done\nexec \"$@\"\n",
        )
        .unwrap();
        Gate { folder: folder.to_owned() }
    }

    /// The command of a tool behind the gate, as a list of TOML.
    pub(super) fn before(&self, tool: &[&str]) -> String {
        let (script, folder) = (self.folder.join("gate.sh"), &self.folder);
        let command = ["sh", script.to_str().unwrap(), folder.to_str().unwrap()];
        let quoted: Vec<String> = command.iter().chain(tool).map(|part| format!("'{part}'")).collect();
        format!("[{}]", quoted.join(", "))
    }

    pub(super) fn close(&self) {
        std::fs::write(self.folder.join("closed"), "").unwrap();
    }

    /// Until a tool waits at it.
    pub(super) async fn is_waited_at(&self) {
        until("a tool at the gate", async || self.folder.join("waits").exists().then_some(())).await;
    }

    pub(super) fn open(&self) {
        std::fs::remove_file(self.folder.join("closed")).unwrap();
    }
}
