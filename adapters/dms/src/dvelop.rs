//! d.velop documents (dmsApp REST).
