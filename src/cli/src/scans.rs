//! `amtsbote scan …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Scanned post.
#[derive(Subcommand)]
pub enum ScanCommand {
    /// Write a separator sheet to be printed: an SVG of one page A4. Needs no store, and with --adapter the configuration alone.
    #[command(
        after_help = "Examples: amtsbote scan sheet --adapter scan --unit 63 -o bauaufsicht.svg\n          \
        amtsbote scan sheet --reference 63-2026-0017 --output 63-2026-0017.svg\n          \
        amtsbote scan sheet --attachment > anlage.svg\n\n\
        Open it in a browser, print it on both sides of the paper, and lay it before what it opens. What the sheet\n\
        says stands on it, readable for everybody: no more than is needed.\n\n\
        Exit codes: 0 written, 2 a value is not allowed or the file cannot be written, 3 the configuration or the\n\
        word of the house is not available."
    )]
    Sheet(SeparatorSheet),
}

/// What a separator sheet says.
#[derive(Args)]
pub struct SeparatorSheet {
    /// Adapter of kind scan that will read it: the sheet carries the word that its configuration wants.
    #[arg(long, value_name = "ID")]
    pub adapter: Option<String>,
    /// It opens another document of the same letter (Anlage), not a letter.
    #[arg(long)]
    pub attachment: bool,
    /// Aktenzeichen of the case that the letter belongs into.
    #[arg(long, value_name = "TEXT")]
    pub reference: Option<String>,
    /// Kassenzeichen.
    #[arg(long, value_name = "TEXT")]
    pub cash: Option<String>,
    /// Unit whose desk the letter is for.
    #[arg(long, value_name = "ID")]
    pub unit: Option<String>,
    /// Whom it is for.
    #[arg(long, value_name = "TEXT")]
    pub to: Option<String>,
    /// When the authority had it, such as 24.11.2026.
    #[arg(long, value_name = "DATE")]
    pub received: Option<String>,
    /// What it is about.
    #[arg(long, value_name = "TEXT")]
    pub subject: Option<String>,
    /// Whom it comes from.
    #[arg(long, value_name = "TEXT")]
    pub from: Option<String>,
    /// Kind of the document.
    #[arg(long, value_name = "TEXT")]
    pub kind: Option<String>,
    /// The file to write; the default is standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
