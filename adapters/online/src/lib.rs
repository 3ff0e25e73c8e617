//! Applications of citizens and companies that come in online, and answers to them. Adapters of the channel `online`.
//!
//! | module | does |
//! |---|---|
//! | `fit` | FIT-Connect v2: submissions are fetched, verified, decrypted, taken in and accepted |
//! | `mapping` | what the data of a form become in the case |

pub mod fit;
pub mod mapping;
