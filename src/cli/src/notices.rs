//! `amtsbote notice …`

use clap::Subcommand;

/// Notices to citizens.
#[derive(Subcommand)]
pub enum NoticeCommand {
    /// Show what a template says, in German and English, with a sample; refuses what is wrong with it. Needs no store.
    #[command(after_help = "Example: amtsbote notice test received\n\n\
        The template is NAME.de.txt and NAME.en.txt in the folder of the adapter of kind notify.\n\n\
        Exit codes: 0 shown, 2 there is no such adapter, 3 the configuration or the template is not as it should be.")]
    Test {
        /// Name of the template.
        template: String,
        /// Adapter of kind notify; the default is the first.
        #[arg(long, value_name = "ID")]
        adapter: Option<String>,
    },
}
