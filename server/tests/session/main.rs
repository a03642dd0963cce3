//! Sessions on a hub, without any socket: what a peer is told, and who it is.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod changes;
mod client;
mod keeper;
mod mail;
mod people;
mod reading;
mod rooms;
mod upkeep;
