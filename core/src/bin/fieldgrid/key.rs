//! The store's key. A phone keeps it in its keystore; here it is in the environment or in a file that only its owner can read.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use fieldgrid_core::env::{Environment, random};
use zeroize::Zeroizing;

use crate::Failure;
use crate::output::Out;

/// Environment variable with the key in hex.
const VARIABLE: &str = "FIELDGRID_KEY";

/// The key from the environment, from `file`, or a new one in `file` when there is neither a file nor a store yet.
pub fn load(out: &Out, file: Option<PathBuf>, store: &Path, env: &dyn Environment) -> Result<Zeroizing<[u8; 32]>, Failure> {
    if let Some(hex) = std::env::var_os(VARIABLE).filter(|_| file.is_none()) {
        return parse(&hex.to_string_lossy()).ok_or_else(|| wrong(out, VARIABLE));
    }
    let file = file.unwrap_or_else(|| store.with_added_extension("key"));
    match std::fs::read_to_string(&file) {
        Ok(hex) => parse(&Zeroizing::new(hex)).ok_or_else(|| wrong(out, &file.display().to_string())),
        Err(error) if error.kind() == ErrorKind::NotFound && !store.exists() => create(out, &file, env),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Failure::store(out.say(
            format_args!("数据库 {} 已存在，但没有密钥：请设置 {VARIABLE} 或 --key-file", store.display()),
            format_args!("the store {} exists, but its key is missing: set {VARIABLE} or --key-file", store.display()),
        ))),
        Err(error) => Err(Failure::store(format!("{}: {error}", file.display()))),
    }
}

fn create(out: &Out, file: &Path, env: &dyn Environment) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let key = Zeroizing::new(random::<32>(env));
    let hex = Zeroizing::new(key.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}")));
    let failed = |error: std::io::Error| Failure::store(format!("{}: {error}", file.display()));
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut opened = options.open(file).map_err(failed)?;
    opened.write_all(hex.as_bytes()).and_then(|()| opened.sync_all()).map_err(failed)?;
    out.warn(out.say(
        format_args!("已在 {} 创建数据库密钥。谁拿到这个文件和数据库，谁就能读出全部内容；丢失则无法恢复", file.display()),
        format_args!("made the store's key in {}. Who has this file and the store reads everything; without it the store is lost", file.display()),
    ));
    Ok(key)
}

fn parse(hex: &str) -> Option<Zeroizing<[u8; 32]>> {
    let hex = hex.trim();
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = Zeroizing::new([0; 32]);
    for (i, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(key)
}

fn wrong(out: &Out, source: &str) -> Failure {
    Failure::store(out.say(format_args!("{source} 不是 64 位十六进制的密钥"), format_args!("{source} is not a key of 64 hex digits")))
}
