//! `amtsbote demo`: the gateway's main job as a story for a county's head of IT. Everything goes over real connections to real child
//! processes of this very program; each line says who spoke with them, and each step is verified before it is told.
//!
//! | module | holds |
//! |---|---|
//! | `scene` | who takes part: two gateways, simulators, tokens |
//! | `office` | the systems around the county's gateway, and its adapters for them |
//! | `intake` | an application comes in, the gateway is killed, what is broken goes back |
//! | `fee` | its fee is claimed and paid, whatever a forger says |
//! | `backoffice` | the application in the DMS, its process, a letter that was scanned, a DMS that goes down |
//! | `online` | an application arrives encrypted, its decision is provided and retrieved |
//! | `telephone` | somebody calls at night, and is called back |
//! | `handover` | the file goes to the town, waits there, is imported, and is locked |
//! | `archive` | another case is closed and goes to the county's archive |
//! | `proof` | who sees nothing, what the evidence proves |
//! | `loops` | not part of the story: one round through every channel, for `amtsbote selftest` |

mod archive;
mod backoffice;
mod fee;
mod handover;
mod intake;
mod loops;
mod office;
mod online;
mod proof;
mod scene;
mod telephone;

use std::path::PathBuf;
use std::process::ExitCode;

pub use loops::{Round, rounds};

use conformance::simulate::Error;
use conformance::simulate::story::Story;

/// What the story is told with.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Leave both gateways running at the end and print their URLs and token files
    #[arg(long)]
    keep: bool,
    /// Hand over by OSCI-Transport instead of XTA; the town's gateway runs the intermediary, too
    #[arg(long)]
    osci: bool,
    /// Size of the large document, in MB
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    big_mb: u32,
    /// Folder of xdomea messages of other programs, each of which is sent as well
    #[arg(long, overrides_with = "samples")]
    samples: Option<PathBuf>,
}

/// Tells the whole story; with `json` as one object at the end. Success only if every step was verified.
pub async fn run(options: Options, json: bool) -> ExitCode {
    let mut story = Story::begin(json);
    let outcome = tell(&options, &mut story).await;
    story.end(outcome.as_ref().err());
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn tell(options: &Options, story: &mut Story) -> Result<(), Error> {
    let mut scene = scene::set_up(options, story).await?;

    let mut application = intake::hand_in(&scene, options, story).await?;
    intake::assign_reference(&scene, &application, story).await?;
    backoffice::file(&scene, &application, story).await?;
    backoffice::follow_process(&scene, &application, story).await?;
    intake::kill_and_repeat(&mut scene, &mut application, story).await?;
    intake::return_broken(&scene, story).await?;

    let moved_in = online::arrive(&scene, story).await?;
    let decided = online::decide(&scene, &moved_in, story).await?;

    let promised = telephone::call_at_night(&scene, story).await?;
    telephone::call_back(&scene, &promised, story).await?;

    let payment = fee::claim(&scene, &application, story).await?;
    fee::ignore_forger(&scene, &payment, story).await?;
    fee::count_once(&scene, &payment, story).await?;

    backoffice::take_letter(&scene, &mut application, story).await?;
    backoffice::lose_dms(&scene, &mut application, story).await?;
    backoffice::dms_is_back(&scene, &application, story).await?;
    backoffice::end_process(&scene, &application, story).await?;
    online::retrieve(&scene, &decided, story).await?;

    let exchange = handover::hand_over(&scene, &application, story).await?;
    handover::refuse_lock(&scene, &application, &exchange, story).await?;
    handover::wait_for_town(&scene, &exchange, story).await?;
    handover::town_is_back(&mut scene, story).await?;
    handover::import(&mut scene, &application, &exchange, story).await?;
    if !options.osci {
        handover::follow_up(&scene, &exchange, story).await?;
    }
    handover::lock(&scene, &application, &exchange, story).await?;

    let disposed = archive::dispose(&scene, story).await?;
    archive::confirm(&scene, &disposed, story).await?;

    proof::hide_from_stranger(&scene, &application, &exchange, story).await?;
    proof::prove(&scene, &application, story).await?;
    if let Some(folder) = &options.samples {
        proof::send_samples(&scene, folder, story).await?;
    }
    proof::judge_houses(&scene, story).await?;
    scene::finish(scene, options.keep, story).await
}
