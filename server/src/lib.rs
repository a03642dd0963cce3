//! The Crosstalk chat server.
