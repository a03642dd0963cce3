//! Has the page inside the program made anew when a file joins or leaves it.

fn main() {
    println!("cargo:rerun-if-changed=../web");
}
