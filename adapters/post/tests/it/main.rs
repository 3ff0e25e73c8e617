//! Behaviour of the intake and the dispatch of post.

mod scan;
