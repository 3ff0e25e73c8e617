//! `[xrechnung]`: the rules of invoices, asked of an outside processor; and `[[contact]]`, where authorities of the house are reached.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::{Config, Error};

/// `[xrechnung]`. Without it the rules of EN 16931 and XRechnung are not checked.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct XRechnung {
    /// The processor for XSLT 2 and its arguments; `{stylesheet}` stands for the stylesheet. It reads the invoice from its standard input
    /// and writes SVRL.
    pub processor: Vec<String>,
    /// Compiled Schematron for UBL.
    #[serde(default)]
    pub ubl: Vec<PathBuf>,
    /// Compiled Schematron for CII.
    #[serde(default)]
    pub cii: Vec<PathBuf>,
    /// How long one stylesheet may take, in seconds.
    #[serde(default = "a_minute")]
    pub within_seconds: u32,
}

fn a_minute() -> u32 {
    60
}

impl XRechnung {
    /// Makes the paths of stylesheets absolute. The program is looked for as a shell would.
    pub(crate) fn resolve(&mut self, folder: &Path) {
        for path in self.ubl.iter_mut().chain(&mut self.cii) {
            *path = folder.join(&*path);
        }
    }
}

impl Check<'_> {
    pub(crate) fn xrechnung(&self, config: &Config) -> Result<(), Error> {
        let Some(section) = &config.xrechnung else { return Ok(()) };
        if !section.processor.iter().any(|word| word.contains("{stylesheet}")) {
            return Err(
                self.value("xrechnung.processor", "expected a program with {stylesheet} in its arguments")
            );
        }
        self.number("xrechnung.within_seconds", section.within_seconds.into(), 1, 3_600)
    }

    pub(crate) fn contacts(&self, config: &Config) -> Result<(), Error> {
        let ours = config.tenants.iter().flat_map(|tenant| &tenant.authorities);
        let ours: BTreeSet<_> = ours.map(|authority| &authority.key).collect();
        let mut named = BTreeSet::new();
        for (index, contact) in config.contacts.iter().enumerate() {
            let key = format!("contact[{index}].authority");
            self.note(self.defined(&key, "authority", ours.contains(&contact.authority)));
            self.note(self.unique(&key, named.insert(&contact.authority)));
        }
        Ok(())
    }
}
