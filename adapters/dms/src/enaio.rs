//! enaio (AppConnector REST).
