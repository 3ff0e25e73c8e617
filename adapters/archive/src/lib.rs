//! Long-term archives: what is disposed of is packed, submitted and proved.

mod settings;

pub use settings::{
    AppraisalBy, Container, DaNrw, Folder, Migration, Rights, Settings, Stamps, Target, Tools, TrEsor,
};
