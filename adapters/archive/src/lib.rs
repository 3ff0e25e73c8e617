//! Long-term archives: what is disposed of is packed, submitted and proved.
