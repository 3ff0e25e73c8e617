//! Who writes to mailboxes.

use std::sync::LazyLock;

use conformance::simulate::fit_connect::office;
use seal::identity::Identity;

static PEM: LazyLock<String> = LazyLock::new(|| office::author("Landkreis Test ZBP").unwrap());

pub(crate) fn identity() -> Identity {
    Identity::from_pem(PEM.as_bytes(), "").unwrap()
}
