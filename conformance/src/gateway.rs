//! The gateway as a child process in a temporary folder: configured, started, killed, started again
//! on the same folder, and cleaned up. Its ports are chosen by the system and read from its ready line.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::Error;
use crate::client::{Client, text};

mod database;
mod house;

pub use database::{Database, Engine};
pub use house::{ABSENT_KEY, COUNTY, COUNTY_KEY, TOWN, TOWN_KEY};

/// Longest time from the start to the ready line.
const START: Duration = Duration::from_secs(30);

/// Clock ticks of `/proc/PID/stat` in a second.
const TICKS: f64 = 100.0;

/// A gateway of ours.
pub struct Gateway {
    binary: PathBuf,
    folder: TempDir,
    database: Database,
    child: Option<Child>,
    address: watch::Sender<Option<String>>,
    operations: String,
    /// Put before the binary, such as a tracer with its options.
    wrapper: Vec<String>,
}

/// A port of the loopback that is free now, below those that the system gives to connections: whoever binds it later finds it free still.
pub fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(10_000..32_000);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Rights of a token.
#[derive(Debug, Clone, Copy)]
pub struct Rights<'a> {
    /// Tenant.
    pub tenant: &'a str,
    /// Roles by their names on the command line.
    pub roles: &'a [&'a str],
    /// Unit, or `*`.
    pub unit: &'a str,
    /// Service, or `*`.
    pub service: &'a str,
    /// Authority whose mailbox it uses.
    pub authority: Option<&'a str>,
}

/// What remains of a gateway that goes on running.
#[derive(Debug, Clone)]
pub struct Left {
    /// Process id.
    pub pid: u32,
    /// Its folder, with configuration, data and log.
    pub folder: PathBuf,
    /// Base URL of the REST interface, without path.
    pub internal: String,
    /// Base URL of health and metrics.
    pub operations: String,
}

impl Gateway {
    /// Lays out a folder with a configuration for two authorities; starts nothing yet.
    ///
    /// # Errors
    /// If the folder or the database cannot be created.
    pub async fn prepare(binary: &Path, engine: &Engine) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix("amtsbote-").tempdir()?;
        std::fs::create_dir(folder.path().join("data"))?;
        let database = Database::create(engine).await?;
        std::fs::write(folder.path().join("amtsbote.toml"), house::config(&database.url()))?;
        Ok(Gateway {
            binary: binary.to_owned(),
            folder,
            database,
            child: None,
            address: watch::Sender::new(None),
            operations: String::new(),
            wrapper: vec![],
        })
    }

    /// Adds to the configuration of a gateway that was not started yet.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn configure(&self, more: &str) -> Result<(), Error> {
        let mut file = OpenOptions::new().append(true).open(self.folder.path().join("amtsbote.toml"))?;
        Ok(file.write_all(format!("\n{more}").as_bytes())?)
    }

    /// Changes the configuration of a gateway that is not running: of each pair, the first occurrence of the one becomes the
    /// other.
    ///
    /// # Errors
    /// If something is not there, or the file cannot be written.
    pub fn reconfigure(&self, edits: &[(&str, &str)]) -> Result<(), Error> {
        let file = self.folder.path().join("amtsbote.toml");
        let mut config = std::fs::read_to_string(&file)?;
        for (from, to) in edits {
            if !config.contains(from) {
                return Err(Error::Start(format!("the configuration has no {from}")));
            }
            config = config.replacen(from, to, 1);
        }
        Ok(std::fs::write(&file, config)?)
    }

    /// Runs the gateway under another program: `wrapper` is put before its command line.
    pub fn wrapped(&mut self, wrapper: &[&str]) {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
    }

    /// URL of the gateway's database, as in its configuration.
    pub fn database_url(&self) -> String {
        self.database.url()
    }

    /// The gateway's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Base URL of the REST interface, without path; empty while it is down.
    pub fn internal(&self) -> String {
        self.address.borrow().clone().unwrap_or_default()
    }

    /// Base URL of health and metrics.
    pub fn operations(&self) -> &str {
        &self.operations
    }

    /// A command line of the gateway's own, such as `token create`.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--config").arg("amtsbote.toml").args(arguments).current_dir(self.folder.path());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a command line to its end and reads the JSON that it prints.
    ///
    /// # Errors
    /// If it fails or prints none.
    pub async fn run(&self, arguments: &[&str]) -> Result<Value, Error> {
        let output = self.command(arguments).output().await?;
        let tool = |detail: String| Error::Tool { tool: "amtsbote", detail };
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(tool(format!("{} ended with {}: {said}", arguments.join(" "), output.status)));
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|_| tool(format!("{} printed no JSON", arguments.join(" "))))
    }

    /// A token with these rights; returns its secret.
    ///
    /// # Errors
    /// If the command line refuses.
    pub async fn token(&self, name: &str, rights: Rights<'_>) -> Result<String, Error> {
        let Rights { tenant, roles, unit, service, authority } = rights;
        let mut arguments = vec!["token", "create", "--tenant", tenant, "--name", name, "--json"];
        for role in roles {
            arguments.extend(["--role", role]);
        }
        arguments.extend(["--unit", unit, "--service", service]);
        if let Some(authority) = authority {
            arguments.extend(["--authority", authority]);
        }
        let answer = self.run(&arguments).await?;
        match text(&answer, "secret") {
            "" => Err(Error::Tool { tool: "amtsbote", detail: "token create printed no secret".into() }),
            secret => Ok(secret.to_owned()),
        }
    }

    /// Writes a token's secret to a file under `tokens/` that only this user can read.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_token(&self, name: &str, secret: &str) -> Result<(), Error> {
        std::fs::create_dir_all(self.folder.path().join("tokens"))?;
        self.write_secret(&format!("tokens/{name}"), secret)
    }

    /// Writes a secret to a file beside the configuration that only this user can read.
    ///
    /// # Errors
    /// If it cannot be written, or is there already.
    pub fn write_secret(&self, name: &str, secret: &str) -> Result<(), Error> {
        let mut open = OpenOptions::new();
        let mut file = open.write(true).create_new(true).mode(0o600).open(self.folder.path().join(name))?;
        Ok(file.write_all(secret.as_bytes())?)
    }

    /// A caller with this secret. It follows the gateway through restarts.
    ///
    /// # Errors
    /// If the TLS library cannot be set up.
    pub fn client(&self, secret: &str) -> Result<Client, Error> {
        Client::new(self.address.subscribe(), secret)
    }

    /// Starts the gateway and waits until it is ready.
    ///
    /// # Errors
    /// If it is not within half a minute.
    pub async fn start(&mut self) -> Result<(), Error> {
        let mut child = self.spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| Error::Start("no output".into()))?;
        self.child = Some(child);
        let mut lines = BufReader::new(stdout).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await? {
                if let Some(addresses) = ready_line(&line) {
                    return Ok(addresses);
                }
            }
            Err(Error::Start(self.last_words()))
        };
        let (internal, operations) =
            tokio::time::timeout(START, ready).await.map_err(|_| Error::Late("the ready line".into()))??;
        // What it prints later must not block it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        self.operations = operations;
        self.address.send_replace(Some(internal));
        Ok(())
    }

    /// Starts the gateway and kills it after `life`, wherever it then stands.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn start_and_kill(&mut self, life: Duration) -> Result<(), Error> {
        self.child = Some(self.spawn()?);
        tokio::time::sleep(life).await;
        self.kill().await
    }

    /// SIGKILL: no chance to say goodbye.
    ///
    /// # Errors
    /// If the process had ended by itself before, which is a failure of the gateway.
    pub async fn kill(&mut self) -> Result<(), Error> {
        self.address.send_replace(None);
        let Some(mut child) = self.child.take() else { return Ok(()) };
        if let Some(status) = child.try_wait()? {
            return Err(Error::Start(format!("ended by itself with {status}: {}", self.last_words())));
        }
        child.kill().await?;
        Ok(())
    }

    /// Waits for the end of a process that something else has stopped.
    ///
    /// # Errors
    /// If it does not end within half a minute.
    pub async fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.address.send_replace(None);
        let Some(mut child) = self.child.take() else { return Ok(None) };
        let ended = tokio::time::timeout(START, child.wait()).await;
        Ok(Some(ended.map_err(|_| Error::Late("the end of the gateway".into()))??))
    }

    /// Most memory that the running gateway has held, in bytes; 0 where the system does not say.
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// Memory that the running gateway holds now, in bytes; 0 where the system does not say.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// CPU that the running gateway has taken, in microseconds: user and system time of all its threads.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn cpu_us(&self) -> Result<f64, Error> {
        cpu_us(&self.pid().unwrap_or_default().to_string())
    }

    fn status(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.pid().unwrap_or_default());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        kibibytes.unwrap_or_default() * 1024
    }

    /// Process id of the running gateway or its wrapper.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Ends the process and removes database and folder.
    ///
    /// # Errors
    /// If one of them resists.
    pub async fn remove(mut self) -> Result<(), Error> {
        let killed = self.kill().await;
        self.database.drop().await?;
        self.folder.close()?;
        killed
    }

    /// Leaves the gateway running and its folder standing.
    pub fn leave(mut self) -> Left {
        let left = Left {
            pid: self.pid().unwrap_or_default(),
            folder: self.folder.keep(),
            internal: self.address.borrow().clone().unwrap_or_default(),
            operations: self.operations,
        };
        // A child that is dropped is killed; this one is nobody's any more.
        std::mem::forget(self.child.take());
        left
    }

    fn spawn(&self) -> Result<Child, Error> {
        let log = OpenOptions::new().create(true).append(true).open(self.log())?;
        let mut words = self.wrapper.iter();
        let mut command = match words.next() {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(words).arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        command.arg("--config").arg("amtsbote.toml").arg("serve").current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        Ok(command.spawn()?)
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("gateway.log")
    }

    /// The last lines of the log.
    pub fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }
}

/// CPU of a process (its id, or `self`), in microseconds: user and system time of all its threads.
///
/// # Errors
/// If the system does not say.
pub(crate) fn cpu_us(process: &str) -> Result<f64, Error> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // Behind the name, which may hold anything: state is field 3, user and system time 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(11) + ticks(12)) / TICKS * 1e6)
}

/// Both base URLs of a line `listening internal=… operations=…`.
fn ready_line(line: &str) -> Option<(String, String)> {
    let rest = line.split_once("listening ")?.1;
    let value = |name: &str| {
        let word = rest.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
        let url = if word.contains("://") { word.to_owned() } else { format!("http://{word}") };
        Some(url.trim_end_matches('/').to_owned())
    };
    Some((value("internal")?, value("operations")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_names_both_addresses() {
        let (internal, operations) =
            ready_line("listening internal=127.0.0.1:4711 operations=http://127.0.0.1:4712/").unwrap();
        assert_eq!(internal, "http://127.0.0.1:4711");
        assert_eq!(operations, "http://127.0.0.1:4712");
        assert_eq!(ready_line("listening internal=127.0.0.1:4711"), None);
        assert_eq!(ready_line("starting"), None);
    }
}
