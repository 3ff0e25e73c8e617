//! `amtsbote user …`

use clap::Subcommand;
use model::{Authority, Role};

use crate::{OfTenant, json_name};

/// Users of the console.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Add one. The initial secret is shown once and kept nowhere; the user enters it at /console/welcome and sets a password.
    #[command(
        after_help = "Examples:\n  amtsbote user add e.beispiel --name \"Erika Beispiel\" --role admin --unit '*' --service '*'\n  \
        amtsbote user add m.muster --name \"Max Muster\" --role clerk --unit 63 --service baugenehmigung --authority bab:00000001\n\n\
        The first administrator is made like this. With [policy] four_eyes make two: each agrees to what the other asks."
    )]
    Add {
        /// Login name: 2 to 64 letters, digits and . - _ @ +
        login: String,
        /// Name for people.
        #[arg(long)]
        name: String,
        /// Address of e-mail.
        #[arg(long)]
        email: Option<String>,
        /// Roles: clerk, records-manager, cashier, operator, auditor, admin.
        #[arg(long = "role", required = true, value_parser = json_name::<Role>)]
        roles: Vec<Role>,
        /// Units that the user sees; `*` for all.
        #[arg(long = "unit", required = true, value_name = "UNIT|*")]
        units: Vec<String>,
        /// Public services that the user sees; `*` for all.
        #[arg(long = "service", required = true, value_name = "SERVICE|*")]
        services: Vec<String>,
        /// The authority that the user acts for.
        #[arg(long, value_name = "KEY")]
        authority: Option<Authority>,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// List all.
    #[command(
        after_help = "Example: amtsbote user list --json | jq -r '.items[] | select(.state != \"active\") | .login'"
    )]
    List {
        /// Only those whose login or name holds this.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// Show one.
    #[command(after_help = "Example: amtsbote user show e.beispiel")]
    Show(OneUser),
    /// Keep one from signing in; sessions end at once.
    #[command(after_help = "Example: amtsbote user lock e.beispiel")]
    Lock(OneUser),
    /// Let one sign in again: one who was locked or disabled, or who waits after failures.
    #[command(after_help = "Example: amtsbote user unlock e.beispiel")]
    Unlock(OneUser),
    /// One has left: sessions end at once.
    #[command(after_help = "Example: amtsbote user disable e.beispiel")]
    Disable(OneUser),
    /// Take away password and codes of one, and make a new initial secret; sessions end at once.
    #[command(after_help = "Example: amtsbote user reset e.beispiel")]
    Reset(OneUser),
}

/// One user.
#[derive(clap::Args)]
pub struct OneUser {
    /// Login name.
    pub login: String,
    /// The tenant.
    #[command(flatten)]
    pub of: OfTenant,
}
