//! `amtsbote message …`

use clap::{Args, Subcommand};
use model::{Authority, Id, MessageState, Timestamp};

use crate::{OfTenant, json_name};

/// Messages.
#[derive(Subcommand)]
pub enum MessageCommand {
    /// List messages, oldest first.
    #[command(after_help = "Example: amtsbote message list --parked")]
    List {
        /// Only what waits for a human, each with its rule and who has to act.
        #[arg(long, conflicts_with_all = ["state", "message_type"])]
        parked: bool,
        /// Only in this state, such as ready.
        #[arg(long, value_parser = json_name::<MessageState>)]
        state: Option<MessageState>,
        /// Only of this type, such as 0401.
        #[arg(long, value_name = "TYPE")]
        message_type: Option<String>,
        /// Only to or from this partner.
        #[arg(long)]
        partner: Option<String>,
        /// Begin behind this message.
        #[arg(long, value_name = "ID")]
        after: Option<Id>,
        /// Most to list.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
        /// The tenant.
        #[command(flatten)]
        of: OfTenant,
    },
    /// Show one: why it waits, what may be done, its findings and what happened to it.
    Show(OneMessage),
    /// Try a parked one again, or all of them after an outage.
    #[command(after_help = "Example: amtsbote message resend --all --rule broker.given-up --dry-run")]
    Resend(Resend),
    /// Put one aside for a human.
    Park(NotedMessage),
    /// Send one back to its sender.
    Return(NotedMessage),
    /// Hand one to the authority of this gateway that is competent.
    Forward {
        /// The message.
        #[command(flatten)]
        one: NotedMessage,
        /// The competent authority, such as bab:05974000.
        #[arg(long, value_name = "KEY")]
        to: Authority,
    },
}

/// A message, and why something is done about it.
#[derive(Args)]
pub struct NotedMessage {
    /// The message.
    #[command(flatten)]
    pub one: OneMessage,
    /// Why, for colleagues; without personal data. Never sent to the other side.
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

/// One parked message, or all that match.
#[derive(Args)]
pub struct Resend {
    /// The message.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub id: Option<Id>,
    /// All parked messages that match.
    #[arg(long)]
    pub all: bool,
    /// Only to or from this partner.
    #[arg(long, requires = "all")]
    pub partner: Option<String>,
    /// Only those kept by this rule.
    #[arg(long, requires = "all", value_name = "CODE")]
    pub rule: Option<String>,
    /// Only those waiting since this time or later.
    #[arg(long, requires = "all", value_name = "TIME", value_parser = json_name::<Timestamp>)]
    pub since: Option<Timestamp>,
    /// Most messages.
    #[arg(long, requires = "all")]
    pub limit: Option<u64>,
    /// Only say how many there are.
    #[arg(long, requires = "all")]
    pub dry_run: bool,
    /// Why, for colleagues; without personal data. Never sent to the other side.
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// The tenant.
    #[command(flatten)]
    pub of: OfTenant,
}

/// A message.
#[derive(Args)]
pub struct OneMessage {
    /// The message.
    pub id: Id,
    /// The tenant.
    #[command(flatten)]
    pub of: OfTenant,
}
