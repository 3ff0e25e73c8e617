//! People: signing in without telling who there is, waits, codes that are used once, sessions and their ends, rights that count at once.

mod admins;
mod bed;
mod sessions;
mod signing_in;
mod stolen;
