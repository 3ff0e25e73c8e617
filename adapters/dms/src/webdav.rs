//! A folder on a WebDAV server (RFC 4918) that serves as a document management system: folders for files and cases, one file for each
//! document. What the protocol has no place for, the identifiers and values of ours, lies beside it in a folder of the gateway's own.
//!
//! | module | holds |
//! |---|---|
//! | `place` | places, their addresses, names that every server takes |
//! | `multistatus` | what a server says of places |
//! | `client` | single requests |
//! | `notes` | the gateway's own folder: which record lies where, and what is under way |
//! | `library` | the [`Port`](crate::port::Port) made of these |
//! | `walk` | what changed, by walking through the folders |

mod client;
mod library;
mod multistatus;
mod notes;
mod place;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use model::Clock;

pub use library::Library;

use crate::rest::{Login, Rest};
use client::Dav;
use place::Base;

/// How a WebDAV folder is reached.
#[derive(Clone)]
pub struct Settings {
    /// Address of the folder that everything is put under, `https://…`; the folder it lies in has to be there.
    pub url: String,
    /// Who the gateway is there.
    pub login: Login,
    /// Name of the gateway's own folder in it; `.amtsbote` unless the server hides or refuses such names.
    pub own_folder: String,
    /// Whether the bytes that a new version replaces are kept in the gateway's own folder. False where the server keeps versions itself.
    pub keep_versions: bool,
    /// Longest time of a call without content.
    pub within: Duration,
    /// Longest time of a call with content.
    pub transfer: Duration,
}

impl Settings {
    /// What is usual.
    pub fn new(url: impl Into<String>, login: Login) -> Self {
        Settings {
            url: url.into(),
            login,
            own_folder: ".amtsbote".to_owned(),
            keep_versions: true,
            within: Duration::from_secs(60),
            transfer: Duration::from_secs(3_600),
        }
    }
}

/// The folder as a document management system. `None` if address or name of the own folder is none.
pub fn library(settings: &Settings, client: net::Client, clock: Arc<dyn Clock>) -> Option<Library> {
    let base = Base::new(&settings.url)?;
    let own = &settings.own_folder;
    if place::safe_name(own) != own.trim_start_matches('.') || own.is_empty() {
        return None;
    }
    let rest = Rest::new(client, clock, settings.login.clone(), settings.within, settings.transfer);
    Some(Library::new(Dav::new(rest, base), own, settings.keep_versions))
}
