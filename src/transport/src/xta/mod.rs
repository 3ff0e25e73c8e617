//! XTA over the broker: accounts send messages and fetch those of their message boxes.
//!
//! | module | holds |
//! |---|---|
//! | `account` | who calls |
//! | `boxes` | what an account may have done: message ids, reports, taking back |
//! | `sending` | messages that are taken in |
//! | `reading` | message boxes that are looked through |
//! | `cursor` | where looking through a message box goes on |
//! | `package` | the contents of a message as they are kept |
//! | `kept` | metadata as they are kept |

mod account;
mod boxes;
mod cursor;
mod kept;
mod package;
mod reading;
mod sending;

pub use account::Account;
pub use boxes::{BoxSettings, Boxes};
