//! Files for the cash system.

use super::Booking;
use crate::{Failure, Timestamp};

/// What a file for the cash system says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHead {
    /// Tenant.
    pub tenant: String,
    /// The way whose bookings it holds.
    pub account: String,
    /// Running number of the account's files, from 1.
    pub number: u64,
    /// When it was made.
    pub at: Timestamp,
}

/// A format of such files. The same bookings and head always make the same bytes.
pub trait CashFormat: Send + Sync {
    /// Name as configured.
    fn name(&self) -> &str;

    /// Media type.
    fn media_type(&self) -> &str;

    /// Ending of the file's name, without a full stop.
    fn ending(&self) -> &str;

    /// The file.
    ///
    /// # Errors
    /// `Permanent` if a booking cannot be expressed.
    fn write(&self, head: &FileHead, bookings: &[Booking]) -> Result<Vec<u8>, Failure>;
}
