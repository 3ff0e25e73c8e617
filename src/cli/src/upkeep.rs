//! Commands on the store as a whole: backup, restore, master keys.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// A backup that is to be made, or looked at.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
#[command(after_help = "Examples:\n  amtsbote backup /backup/2026-11-30\n  \
    amtsbote backup /backup/2026-12-01 --since /backup/2026-11-30\n  amtsbote backup verify /backup/2026-12-01 --key gateway.pem\n\n\
    The gateway goes on working. The folder gets its name when the backup is whole: an interrupted one is\n\
    PATH.partial, and the next run throws it away. It holds rows in the clear: keep it as safe as the database.\n\
    It never holds keys, unless --with-keys is given; keep those apart.\n\n\
    Exit codes: 0 whole, 1 something is not as it should be, 2 the folder is there already or cannot be written.")]
pub struct Backup {
    /// The folder to be made.
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,
    /// An earlier backup: files of payloads that it has are linked instead of copied.
    #[arg(long, value_name = "PATH")]
    pub since: Option<PathBuf>,
    /// With the master keys and the evidence key: whoever has this backup can read everything.
    #[arg(long)]
    pub with_keys: bool,
    /// Something else with backups.
    #[command(subcommand)]
    pub command: Option<BackupCommand>,
}

/// What else can be done with a backup.
#[derive(Subcommand)]
pub enum BackupCommand {
    /// Look whether a backup is whole and unchanged, and fill a database of its own with it; needs no configuration and no store.
    Verify {
        /// The backup.
        path: PathBuf,
        /// The public key that the gateway is known by (PEM); without it anybody could have made the backup.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Folder for that database, which is removed again; the default is the one for temporary files.
        #[arg(long, value_name = "DIR")]
        scratch: Option<PathBuf>,
    },
}

/// A backup that is to be restored.
#[derive(Args)]
#[command(
    after_help = "Example: amtsbote --config /etc/amtsbote/amtsbote.toml restore /backup/2026-12-01\n\n\
    The configuration says where to. Database and folder of payloads must not be there, or be empty; keys have to be in\n\
    place, or in the backup. Either engine's backup can be restored into the other.\n\n\
    Exit codes: 0 restored, 1 the backup or what became of it is not as it should be, 3 there is a store already."
)]
pub struct Restore {
    /// The backup.
    pub path: PathBuf,
    /// The public key that the gateway is known by (PEM), if the configuration has it neither as current nor as older one.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// A later backup of the same gateway: what is erased in it is erased here, too.
    #[arg(long, value_name = "PATH")]
    pub later: Option<PathBuf>,
}

/// Master keys.
#[derive(Subcommand)]
pub enum KeyCommand {
    /// List the master keys that are configured, and how many keys and secrets need each.
    List,
    /// Wrap everything anew that an older master key wrapped, so that it can leave `older_master_keys`.
    #[command(
        after_help = "First let every node start with the new key as master_key and the old one in older_master_keys.\n\
        It may run beside working gateways, and be interrupted and called again."
    )]
    Rewrap,
}
