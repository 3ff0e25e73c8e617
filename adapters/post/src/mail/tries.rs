//! Which e-mail is next, and which was tried in vain: kept from session to session, and noted before an e-mail is begun, so that one that ends
//! the session, or the gateway, is known.
//!
//! | tried in vain | what is tried next |
//! |---|---|
//! | up to twice | all of it |
//! | three to five times | its header alone |
//! | six to eleven times | nothing: it stays where it is, and each session says so |
//! | twelve times | all of it, as if it had never been tried: somebody may have seen to it |

use std::collections::BTreeMap;

use model::Failure;
use model::adapter::Host;
use serde::{Deserialize, Serialize};

/// Key of the durable state.
const STATE: &str = "mailbox";
const MOST_WHOLE: u32 = 3;
const MOST_TRIES: u32 = 6;
const ROUND: u32 = 12;
/// E-mails whose tries are counted.
const MOST_COUNTED: usize = 1_000;

/// What is tried of an e-mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Whole,
    HeaderAlone,
    Leave,
}

/// What is known of the tries of before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tries {
    /// UIDs mean something within it alone.
    validity: u32,
    /// The UID that was begun last.
    pub(super) after: u32,
    /// Tries in vain by UID.
    vain: BTreeMap<u32, u32>,
}

impl Tries {
    /// What was kept of this mailbox.
    pub(super) async fn load(host: &dyn Host, validity: u32) -> Result<Tries, Failure> {
        let kept = host.state(STATE).await?.and_then(|kept| serde_json::from_value::<Tries>(kept).ok());
        let kept = kept.filter(|kept| kept.validity == validity);
        Ok(kept.unwrap_or(Tries { validity, ..Tries::default() }))
    }

    /// Notes that an e-mail is begun, of those that wait; says what is to be tried.
    pub(super) async fn begin(
        &mut self,
        host: &dyn Host,
        uid: u32,
        waiting: &[u32],
    ) -> Result<Next, Failure> {
        self.vain.retain(|known, _| waiting.binary_search(known).is_ok());
        let before = self.vain.get(&uid).copied().unwrap_or_default() % ROUND;
        if before > 0 || self.vain.len() < MOST_COUNTED {
            self.vain.insert(uid, before + 1);
        }
        self.after = uid;
        self.save(host).await?;
        Ok(match before {
            0..MOST_WHOLE => Next::Whole,
            MOST_WHOLE..MOST_TRIES => Next::HeaderAlone,
            MOST_TRIES.. => Next::Leave,
        })
    }

    /// It was not in vain, or not because of the e-mail.
    pub(super) fn end(&mut self, uid: u32) {
        self.vain.remove(&uid);
    }

    pub(super) async fn save(&self, host: &dyn Host) -> Result<(), Failure> {
        host.set_state(STATE, serde_json::to_value(self).unwrap_or_default()).await
    }
}

/// The UIDs, which are sorted, from the one behind that which was begun last on, and then those before it.
pub(super) fn order(waiting: &[u32], after: u32) -> Vec<u32> {
    let (before, behind) = waiting.split_at(waiting.partition_point(|uid| *uid <= after));
    [behind, before].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_goes_on_where_the_last_one_ended() {
        assert_eq!(order(&[1, 3, 5, 7], 3), [5, 7, 1, 3]);
        assert_eq!(order(&[1, 3], 9), [1, 3]);
        assert_eq!(order(&[], 3), [0; 0]);
    }
}
