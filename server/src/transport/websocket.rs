//! WebSockets: the frame codec, and the JSON door's framing over it.

pub mod frame;
mod framing;

pub use framing::WebSocket;
