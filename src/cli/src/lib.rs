//! The command line: every command with its help and examples. What they do stands in the binary.

mod adapters;
mod messages;
mod notices;
mod scans;
mod upkeep;
mod users;
mod watch;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use model::{Authority, Id, Role, Timestamp};

pub use adapters::AdapterCommand;
pub use messages::{MessageCommand, NotedMessage, OneMessage, Resend};
pub use notices::NoticeCommand;
pub use scans::{ScanCommand, SeparatorSheet};
pub use upkeep::{Backup, BackupCommand, KeyCommand, Restore};
pub use users::{OneUser, UserCommand};
pub use watch::{AlertCommand, Named, PersonCommand, RetentionCommand};

const EXIT_CODES: &str = "Exit codes: 0 done, 1 something was found or refused, 2 command line or file \
    not readable, 3 configuration, store, key or address not available.";

/// Amtsbote, the messenger between public offices: an interoperability gateway for local government.
#[derive(Parser)]
#[command(name = "amtsbote", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Cli {
    /// Configuration file.
    #[arg(long, global = true, value_name = "FILE", default_value = config::FILE_NAME)]
    pub config: PathBuf,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// Language of findings; the default is that of the environment.
    #[arg(long, global = true, value_name = "LANGUAGE")]
    pub lang: Option<Language>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What this process was called with. Ends it if that is no command, or if help is asked for.
    pub fn of_process() -> Self {
        Self::parse()
    }
}

/// A language of findings.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// German.
    De,
    /// English.
    En,
}

impl Language {
    /// German where the environment asks for it.
    pub fn of_environment() -> Self {
        let asked = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
        if asked.is_some_and(|value| value.starts_with("de")) { Language::De } else { Language::En }
    }
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Run the gateway until SIGTERM or SIGINT.
    Serve,
    /// Show the main job: an e-file goes from one authority to another, once, whole, provably.
    Demo(demo::Options),
    /// Identify and validate messages or containers; nothing is stored, no configuration is needed.
    #[command(after_help = "Examples: amtsbote check --lang de 0401.zip\n          \
        amtsbote check --json *.xml | jq -c '[.file, .standard, .version, .type, .valid]'\n\n\
        With --json each file is one line with one object: file, standard, version, type, valid, findings and how\n\
        many more there are, identity. valid is true, false, or null if nothing speaks against the message but no\n\
        schema for it is installed; then the finding schema.absent says so.\n\n\
        An XML file is judged without the files that it names; a container with them.\n\n\
        With --mapping the files are data of forms, and what they become is explained: amtsbote check --mapping wohnsitz antrag.json\n\n\
        Exit codes: 0 no errors found, 1 errors found, 2 a file is not readable.")]
    Check {
        /// Files: XML or ZIP.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Folder of imported schema packs; the default is the configured one, if there is one.
        #[arg(long, value_name = "DIR")]
        schemas: Option<PathBuf>,
        /// The files are data of forms (JSON or XML): explain what they become by this mapping of the configuration.
        #[arg(long, value_name = "ID", conflicts_with = "schemas")]
        mapping: Option<String>,
        /// Metadata that came beside the data, for mappings that look into them.
        #[arg(long, value_name = "FILE", requires = "mapping")]
        metadata: Option<PathBuf>,
    },
    /// Write a message or container of xdomea in another version; nothing is stored, no configuration is needed.
    #[command(after_help = "Examples:\n  amtsbote convert 0401.zip --to xdomea:3.1.0 -o 0401-3.1.zip\n  \
        amtsbote convert 0503.zip --to xdomea:4.0.0 --json\n\n\
        The message is checked first, and the result before it gets its name. What the other version has no\n\
        place for is told, and rides in an extension where there is one.\n\n\
        Exit codes: 0 converted, 1 the message has errors or is none that is written, 2 a file is not readable\n\
        or no message of xdomea.")]
    Convert(Conversion),
    /// Official schema packs.
    #[command(subcommand)]
    Schema(SchemaCommand),
    /// The other sides that messages are exchanged with.
    #[command(subcommand)]
    Partner(PartnerCommand),
    /// Entries of the directory: ways to authorities that the configuration does not name.
    #[command(subcommand)]
    Directory(DirectoryCommand),
    /// Channels to the outside.
    #[command(subcommand)]
    Adapter(AdapterCommand),
    /// Scanned post.
    #[command(subcommand)]
    Scan(ScanCommand),
    /// Notices to citizens.
    #[command(subcommand)]
    Notice(NoticeCommand),
    /// Messages: see them, and repair what is parked. Never their content.
    #[command(subcommand)]
    Message(MessageCommand),
    /// Evidence: what happened to a case, provable without this gateway.
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// Retention and deletion, and the proof of it.
    #[command(subcommand)]
    Retention(RetentionCommand),
    /// Persons: what is known of them, and its end (GDPR articles 15, 17, 20).
    #[command(subcommand)]
    Person(PersonCommand),
    /// Alerts on figures.
    #[command(subcommand)]
    Alert(AlertCommand),
    /// Tokens of the county's systems.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Users of the console.
    #[command(subcommand)]
    User(UserCommand),
    /// Back the whole store up, while the gateway works; or look at a backup.
    Backup(Backup),
    /// Restore a backup into an empty store.
    Restore(Restore),
    /// Master keys: which are needed, and a change of them.
    #[command(subcommand)]
    Key(KeyCommand),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Messages of OSCI-Transport.
    #[command(subcommand)]
    Osci(OsciCommand),
    /// Print the OpenAPI document of the REST interface.
    Openapi,
    /// Check that this installation works, down to a round through every channel; needs no configuration and no store.
    Selftest,
}

/// A message that is to be converted.
#[derive(Args)]
pub struct Conversion {
    /// The message: XML or ZIP.
    pub file: PathBuf,
    /// Standard and version, such as xdomea:3.1.0.
    #[arg(long, value_name = "STANDARD:VERSION")]
    pub to: String,
    /// The file to write, a ZIP; the default is the name that the standard prescribes, in this folder. Temporary files lie beside it.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,
    /// Folder of imported schema packs; the default is the configured one, if there is one.
    #[arg(long, value_name = "DIR")]
    pub schemas: Option<PathBuf>,
}

/// Official schema packs.
#[derive(Subcommand)]
pub enum SchemaCommand {
    /// Import a pack: a folder, a ZIP as the XÖV repository hands it out, or one file.
    #[command(after_help = "Example: amtsbote schema add xdomea_3.1.0_xsd.zip")]
    Add {
        /// The pack.
        pack: PathBuf,
    },
    /// List what is there, in order of precedence.
    List,
    /// Compile every schema.
    Check,
}

/// The tenant that a command is about.
#[derive(Args)]
pub struct OfTenant {
    /// Tenant; may be left out if the house has only one.
    #[arg(long, value_name = "ID")]
    pub tenant: Option<String>,
}

/// Partners.
#[derive(Subcommand)]
pub enum PartnerCommand {
    /// Add a partner, or change one.
    #[command(
        after_help = "Example: amtsbote partner add land-nrw --name \"Land NRW\" --authority bab:05000000"
    )]
    Add {
        /// Short name.
        id: String,
        /// Name for people.
        #[arg(long)]
        name: String,
        /// Its Behördenkennung, if it is an authority.
        #[arg(long, value_name = "KEY")]
        authority: Option<Authority>,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// List all.
    List {
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// Show what waits for partners, what failed last, and whether they are tried.
    Lanes {
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// Try what waits in a lane again now, one message ahead of the others.
    #[command(after_help = "Example: amtsbote partner retry to:bab:05000000")]
    Retry {
        /// The lane, as `partner lanes` shows it.
        lane: String,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// Say by which ways a partner is reached, which one would be used and why not the others; by OSCI-Transport, also look at
    /// all certificates and speak with its intermediary.
    #[command(after_help = "Example: amtsbote partner check bab:00000003 --from bab:00000001")]
    Check {
        /// Short name or Behördenkennung.
        id: String,
        /// Authority of this house that would send; may be left out if only one can.
        #[arg(long, value_name = "KEY")]
        from: Option<Authority>,
        /// Public service of the message.
        #[arg(long)]
        service: Option<String>,
        /// Size of the message.
        #[arg(long)]
        bytes: Option<u64>,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
}

/// Entries of the directory.
#[derive(Subcommand)]
pub enum DirectoryCommand {
    /// Write all entries of a tenant as JSON.
    Export {
        /// The file to write; the default is standard output.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// Import entries: each takes the place of the one that its authority has. Says what changes.
    #[command(after_help = "Example: amtsbote directory import land.json --replace --dry-run")]
    Import {
        /// The file: JSON, as export writes it.
        file: PathBuf,
        /// Remove the entries that the file does not have.
        #[arg(long)]
        replace: bool,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// List all.
    List {
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
}

/// Evidence.
#[derive(Subcommand)]
pub enum EvidenceCommand {
    /// Write the evidence bundle of a case file or case.
    Export {
        /// The case file or case.
        case: Id,
        /// The file to write.
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
        /// With the bytes of its documents and messages, not only their digests.
        #[arg(long)]
        content: bool,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// Verify a bundle; needs no configuration and no store.
    #[command(after_help = "Example: amtsbote evidence verify case.zip --key gateway.pem\n\n\
        Exit codes: 0 whole and unchanged, 1 something was changed, 2 not readable.")]
    Verify {
        /// The bundle.
        bundle: PathBuf,
        /// The public key that the gateway is known by (PEM); without it anybody could have made the bundle.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// The certificates of the time stamp authority (PEM); without them anybody could have made the stamps.
        #[arg(long, value_name = "FILE")]
        tsa_ca: Option<PathBuf>,
        /// Whether events that no time stamp covers are a finding.
        #[arg(long)]
        require_stamp: bool,
    },
    /// Check the whole chain in the store: every event, batch, signature and time stamp.
    #[command(
        after_help = "It may run beside a working gateway. Exit codes: 0 whole, 1 something was changed."
    )]
    Check {
        /// The certificates of the time stamp authority (PEM); the default is the configured ones.
        #[arg(long, value_name = "FILE")]
        tsa_ca: Option<PathBuf>,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// Erase what an event says, or the bytes of a payload, for good. What proves it stays.
    #[command(after_help = "Example: amtsbote evidence erase CASE --payload ID\n\n\
        Records are not touched: change them through their systems.")]
    Erase {
        /// The case file or case to whose evidence it belongs; or the approval, to erase why it was asked for.
        case: Id,
        /// What is erased.
        #[command(flatten)]
        what: Erased,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// Print the public key for auditors (PEM); with --json its fingerprint, too, and the keys before it.
    Key,
}

/// What is erased: one of the two.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Erased {
    /// An event's content and salt.
    #[arg(long, value_name = "ID")]
    pub event: Option<Id>,
    /// A payload's key, and with it its bytes.
    #[arg(long, value_name = "ID")]
    pub payload: Option<Id>,
}

/// Tokens.
#[derive(Subcommand)]
pub enum TokenCommand {
    /// Create one. Its secret is shown once and kept nowhere.
    #[command(after_help = "Example: amtsbote token create --name Bauportal --role system --unit 63 \
        --service baugenehmigung --authority bab:00000001")]
    Create {
        /// The system that uses it; never a person.
        #[arg(long)]
        name: String,
        /// Roles: clerk, system, record-keeping, operator, auditor, admin.
        #[arg(long = "role", required = true, value_parser = json_name::<Role>)]
        roles: Vec<Role>,
        /// Units that it sees; `*` for all.
        #[arg(long = "unit", required = true, value_name = "UNIT|*")]
        units: Vec<String>,
        /// Public services that it sees; `*` for all.
        #[arg(long = "service", required = true, value_name = "SERVICE|*")]
        services: Vec<String>,
        /// The authority whose mailbox it uses.
        #[arg(long, value_name = "KEY")]
        authority: Option<Authority>,
        /// When it ends, such as 2027-12-31T23:59:59Z.
        #[arg(long, value_name = "TIME", value_parser = json_name::<Timestamp>)]
        expires: Option<Timestamp>,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// List all, without secrets.
    List {
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// End one at once.
    Revoke {
        /// The token's id, not its secret.
        id: Id,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
}

/// The configuration.
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Say whether it is valid, or line, column and key of all that is not.
    Check,
    /// Show it as it holds: defaults filled in, paths absolute. It holds no secrets, only where they are.
    Show,
}

/// Messages of OSCI-Transport.
#[derive(Subcommand)]
pub enum OsciCommand {
    /// Say what a message is, for whom, who signed it and what it answers; never its content.
    #[command(
        after_help = "Example: amtsbote osci inspect order.osci --key file:cipher.p12 --password env:PIN"
    )]
    Inspect {
        /// The message, as it was posted.
        file: PathBuf,
        /// Private key that opens it, as file:PATH or env:NAME.
        #[arg(long, value_name = "REFERENCE")]
        key: Option<String>,
        /// Password of the key, likewise.
        #[arg(long, value_name = "REFERENCE", requires = "key")]
        password: Option<String>,
    },
    /// Send a file to a partner by its intermediary, for trying the way out: past cases, queue and evidence.
    #[command(after_help = "Example: amtsbote osci send probe.pdf --from bab:00000001 --to bab:00000003")]
    Send(ToSend),
    /// Look into mailboxes at intermediaries now, and take in what waits there.
    Fetch {
        /// Only mailboxes of this authority.
        #[arg(long, value_name = "KEY")]
        authority: Option<Authority>,
    },
}

/// A file to be sent.
#[derive(Args)]
pub struct ToSend {
    /// The file.
    pub file: PathBuf,
    /// Authority of this house that sends it.
    #[arg(long, value_name = "KEY")]
    pub from: Authority,
    /// Partner that it is for.
    #[arg(long, value_name = "KEY")]
    pub to: Authority,
    /// Subject, readable for the intermediary: no personal data.
    #[arg(long)]
    pub subject: Option<String>,
    /// The id that an earlier attempt printed: then it arrives once, whatever became of that.
    #[arg(long)]
    pub id: Option<Id>,
}

/// Reads a value by the name that it has in JSON.
fn json_name<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}
