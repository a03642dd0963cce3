//! Where the terminal client is.

use std::path::PathBuf;

/// The client beside the directory of the test executable, or `CROSSTALK_CLIENT`.
pub(crate) fn crosstalk() -> PathBuf {
    if let Some(path) = std::env::var_os("CROSSTALK_CLIENT") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test.ancestors().nth(2).expect("a test is built in target/<profile>/deps");
    let client = profile.join("crosstalk");
    assert!(client.exists(), "{} is missing: cargo build -p crosstalk-cli", client.display());
    client
}
