//! What is configured of a telephone system.

use std::time::Duration;

use model::hours::Hours;
use zeroize::Zeroizing;

/// An Asterisk.
pub struct Settings {
    /// Id of the adapter.
    pub id: String,
    /// Address of the interface without a slash at its end, such as `https://pbx.kreis.example:8089/ari`.
    pub url: String,
    /// How the gateway shows itself (HTTP Basic).
    pub login: Login,
    /// Name of the gateway's Stasis application.
    pub application: String,
    /// Contexts of the dialplan that calls from outside come in by.
    pub contexts: Vec<String>,
    /// Endpoint of a clerk's telephone; `{}` is the extension: `PJSIP/{}`.
    pub agents: String,
    /// Endpoint of a number outside; `{}` is the number by E.164 without `+`: `PJSIP/{}@trunk`.
    pub outside: String,
    /// The number that those outside see, as the trunk wants it.
    pub caller_id: String,
    /// What numbers begin with (E.164) that may be called, such as `+49`; none: nobody is called.
    pub may_call: Vec<String>,
    /// The same of those that may not, beside what costs more than a call. The longest that fits a number decides.
    pub may_not_call: Vec<String>,
    /// Country of numbers that name none, such as `49`.
    pub country: String,
    /// Area code of numbers that name none, without `0`; absent: such numbers are none.
    pub area: Option<String>,
    /// When somebody answers calls; others become a task of calling back.
    pub hours: Hours,
    /// How much service may pass until somebody has called back.
    pub call_back_within: Duration,
    /// Whether a call that nobody took becomes a task of calling back, too.
    pub missed_calls_back: bool,
    /// How long a telephone rings.
    pub rings: Duration,
    /// Longest time of a call of the interface, and of connecting to it.
    pub within: Duration,
    /// How long a session listens; at most two minutes, 15 s is usual. The line outlives it.
    pub listens: Duration,
    /// Most calls of a minute that are noted each by itself; of more than that only how many they were.
    pub calls_a_minute: u32,
    /// Most events that a session reads; whoever sends more is left.
    pub most_events: u32,
}

/// Name and password.
pub struct Login {
    /// Name.
    pub user: String,
    /// Password.
    pub password: Zeroizing<String>,
}
