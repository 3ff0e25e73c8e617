//! `amtsbote adapter …`

use clap::Subcommand;

/// Channels to the outside.
#[derive(Subcommand)]
pub enum AdapterCommand {
    /// List the adapters and payment providers of the configuration: what they are, and whom they serve.
    #[command(after_help = "Example: amtsbote adapter list --json | jq -r '.items[].id'\n\n\
        Nobody is called. With --json each item also has what the adapter can do and what it is told of.")]
    List,
    /// Try to reach the other side of each, all at once, and say whether it is set up as it should be.
    #[command(after_help = "Example: amtsbote adapter check --json | jq '.items[] | select(.ok | not)'\n\n\
        It may run beside a working gateway, and changes nothing on the other side. One that does not answer\n\
        within 30 seconds is not well.\n\n\
        Exit codes: 0 all are well, 1 one of them is not, 3 the configuration, a secret or the store is not available.")]
    Check,
}
