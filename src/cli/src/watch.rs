//! Commands on what is kept, on persons, and on alerts.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use model::Id;

use crate::OfTenant;

/// Retention and deletion.
#[derive(Subcommand)]
pub enum RetentionCommand {
    /// What the next run would delete, and what has to stay and why. Nothing is changed.
    Plan {
        /// Most lines.
        #[arg(long, default_value_t = 1_000)]
        most: usize,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// Begin a run now; the running gateway does it.
    Run {
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// The newest runs.
    List {
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// Write the proof of a run that has ended: its list, the event in the chain, and the gateway's signature.
    #[command(after_help = "Example: amtsbote retention proof RUN -o proof.json")]
    Proof {
        /// The run.
        run: Id,
        /// File; standard output if left out.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// Verify a proof; needs no configuration and no store.
    #[command(after_help = "Example: amtsbote retention verify proof.json --key gateway.pem\n\n\
        Exit codes: 0 it holds, 1 something was changed, 2 not readable.")]
    Verify {
        /// The proof.
        proof: PathBuf,
        /// The public key that the gateway is known by (PEM).
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
}

/// Persons: what is known of them, and its end (GDPR articles 15, 17, 20).
#[derive(Subcommand)]
pub enum PersonCommand {
    /// Where a person is known.
    Find {
        /// Who.
        #[command(flatten)]
        who: Named,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// Write all that is known of a person as a ZIP of JSON and documents.
    #[command(after_help = "Example: amtsbote person export --reference 63-2026-0001 -o person.zip\n\n\
        Look through the documents before you hand them out: they may name others.")]
    Export {
        /// Who.
        #[command(flatten)]
        who: Named,
        /// File; must not exist.
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// Erase a person from records whose time is over; the answer says what stays and why.
    Erase {
        /// Who.
        #[command(flatten)]
        who: Named,
        /// Consent was withdrawn: why, without personal data. Then also from records whose time is not over.
        #[arg(long, value_name = "REASON")]
        withdrawn: Option<String>,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
}

/// By what a person is looked for.
#[derive(Args)]
#[group(required = true, multiple = true)]
pub struct Named {
    /// Aktenzeichen or another identifier: the citizen of its records.
    #[arg(long, conflicts_with_all = ["family_name", "phone", "email"])]
    pub reference: Option<String>,
    /// Family name, together with the day of birth.
    #[arg(long, requires = "born", conflicts_with_all = ["phone", "email"])]
    pub family_name: Option<String>,
    /// Given name.
    #[arg(long, requires = "family_name")]
    pub given_name: Option<String>,
    /// Day of birth, YYYY-MM-DD.
    #[arg(long, requires = "family_name")]
    pub born: Option<String>,
    /// Telephone number.
    #[arg(long, conflicts_with = "email")]
    pub phone: Option<String>,
    /// Address of e-mail.
    #[arg(long)]
    pub email: Option<String>,
}

/// Alerts.
#[derive(Subcommand)]
pub enum AlertCommand {
    /// How the rules stand.
    List {
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// Tell those whom a rule names that this is a test.
    Test {
        /// The rule.
        id: String,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
}
