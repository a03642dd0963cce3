//! The line codec: text lines for people, over TCP.
//!
//! [`Decoder`] turns the bytes of a terminal, a telnet client, a script or one of the original's
//! clients into messages; [`crate::slash::parse`] understands them. [`render`] writes what such a
//! peer is shown.

mod decoder;
pub mod render;
mod telnet;
mod unframed;

pub use decoder::{Decoder, Waiting};
pub use render::{Notice, Style};
