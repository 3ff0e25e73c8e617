//! JSON Schema of the records, for those who integrate by REST.

use schemars::{Schema, schema_for};

use crate::activity::{Decision, Dispatch, Interaction, Task};
use crate::case::{Case, CaseFile, Document};
use crate::event::Event;
use crate::exchange::Exchange;
use crate::file_plan::FilePlan;
use crate::message::Message;
use crate::payment::{Booking, Claim, Payment};

/// Name and JSON Schema (2020-12) of every type of the model that leaves the gateway.
pub fn all() -> Vec<(&'static str, Schema)> {
    vec![
        ("FilePlan", schema_for!(FilePlan)),
        ("CaseFile", schema_for!(CaseFile)),
        ("Case", schema_for!(Case)),
        ("Document", schema_for!(Document)),
        ("Exchange", schema_for!(Exchange)),
        ("Task", schema_for!(Task)),
        ("Interaction", schema_for!(Interaction)),
        ("Dispatch", schema_for!(Dispatch)),
        ("Decision", schema_for!(Decision)),
        ("Claim", schema_for!(Claim)),
        ("Payment", schema_for!(Payment)),
        ("Booking", schema_for!(Booking)),
        ("Message", schema_for!(Message)),
        ("Event", schema_for!(Event)),
    ]
}
