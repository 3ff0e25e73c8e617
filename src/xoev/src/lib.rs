//! xoev
