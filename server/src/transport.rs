//! The doors: one module an encoding, each around the same [`Session`](crate::session::Session).

pub mod json;
pub mod line;
pub mod websocket;
