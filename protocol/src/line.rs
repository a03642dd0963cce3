//! The line codec: text lines for people, over TCP.
