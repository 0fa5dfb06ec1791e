//! How the library that ships is linked, in one place: `size` and `android-sample/ndk` only say for what it is built.

use std::env;
use std::path::PathBuf;

/// Functions that are the same byte for byte are kept once, as far as nobody compares their addresses.
const FOLD: &str = "-Wl,--icf=safe";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if profile().as_deref() != Some("mobile") {
        return;
    }
    let flags: &[&str] = match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        // Relocations packed as Android 6 can read them; `relr`, which is smaller, came with Android 9. And pages of 16 KB.
        Ok("android") => &[FOLD, "-Wl,--pack-dyn-relocs=android", "-Wl,-z,max-page-size=16384"],
        Ok("linux") => &[FOLD, "-Wl,-z,pack-relative-relocs"],
        _ => &[],
    };
    for flag in flags {
        println!("cargo:rustc-link-arg-cdylib={flag}");
    }
}

/// Cargo tells a script only what its profile inherits from, but names the profile's folder after it: `<profile>/build/<package>/out`.
fn profile() -> Option<String> {
    let out = PathBuf::from(env::var_os("OUT_DIR")?);
    Some(out.ancestors().nth(3)?.file_name()?.to_str()?.to_owned())
}
