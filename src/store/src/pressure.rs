//! What tells whether more can be taken in: room on the disks, and work that waits. Cheap enough to be asked every second.

use std::collections::BTreeMap;
use std::path::Path;

use crate::db::Db;
use crate::sql::Select;
use crate::{Error, Store};

impl Store {
    /// Bytes that are free on the disk of the payloads, or on that of an embedded database if that has fewer.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn disk_free(&self) -> Result<u64, Error> {
        let payloads = free(self.0.files.root())?;
        let database = match self.db() {
            Db::Sqlite(engine, _) => free(engine.folder())?,
            Db::Postgres(_) => u64::MAX,
        };
        Ok(payloads.min(database))
    }

    /// Accepted messages that wait for their processing, by tenant.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn waiting_messages(&self) -> Result<BTreeMap<String, u64>, Error> {
        // Lanes of incoming messages begin with `in:`.
        let select = Select::new(
            "SELECT tenant, count(*) FROM job WHERE lane >= 'in:' AND lane < 'in;' GROUP BY tenant",
        );
        let rows = self.db().read(select).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.number(1)?))).collect()
    }
}

fn free(folder: &Path) -> Result<u64, Error> {
    let disk = rustix::fs::statvfs(folder).map_err(std::io::Error::from)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}
