//! What the program can be told to do: one file each.

mod backup;
mod compare;
mod config;
mod demo;
mod devices;
mod grids;
mod import_divisions;
mod invite;
mod orgs;
mod quarantine;
mod restore;
mod serve;
mod verify;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use fieldgrid_core::domain::id::Hash;
use fieldgrid_core::env::System;

use crate::config::{self as settings, Common, ConfigError};
use crate::divisions::Mistakes;
use crate::http::TlsError;
use crate::telemetry::logs;
use crate::town::{Town, TownError, TownOptions};

/// Fieldgrid's sync server: receives what phones in the field recorded, and shows the town centre what is happening
/// · 网格同步服务器：接收一线手机上报的记录，供镇街综治中心查看.
#[derive(Debug, Parser)]
#[command(name = "sync-server", version, after_long_help = FIRST_STEPS, max_term_width = 110)]
pub struct Cli {
    /// Settings of every command.
    #[command(flatten)]
    pub common: Common,
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

const FIRST_STEPS: &str = "\
First steps · 快速开始:
  sync-server import-divisions --builtin hanzhong       load the division tree · 导入区划
  sync-server grids create 610702001001 --count 4       open four grids in a community · 建立网格
  sync-server serve                                     listen on http://127.0.0.1:8610 · 启动服务
  sync-server invite --role grid_member --scope 610702001001001 --name 王芳
                                                        print a code for one phone · 手机入网

Settings can be flags (--listen), environment variables (FIELDGRID_LISTEN) or lines of a TOML file
(listen = \"…\", with --config FILE); a flag beats the environment, the environment beats the file.
`sync-server config --print` shows what holds, and where each value comes from.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// A real town with a dozen phones that go offline and come back, watched in a browser · 演示.
    Demo(demo::Demo),
    /// Serve phones until SIGTERM or Ctrl-C · 启动服务.
    #[command(long_about = serve::LONG)]
    Serve(serve::Serve),
    /// Load the tree of divisions · 导入区划.
    #[command(long_about = import_divisions::LONG)]
    ImportDivisions(import_divisions::ImportDivisions),
    /// Make and list grids · 网格.
    #[command(long_about = grids::LONG)]
    Grids(grids::Grids),
    /// Add and list departments · 单位.
    #[command(long_about = orgs::LONG)]
    Orgs(orgs::Orgs),
    /// Print a one-time code for one phone · 手机入网码.
    #[command(long_about = invite::LONG)]
    Invite(invite::Invite),
    /// List, revoke and approve phones · 设备.
    #[command(long_about = devices::LONG)]
    Devices(devices::Devices),
    /// Decide about what was kept aside · 暂存待审.
    #[command(long_about = quarantine::LONG)]
    Quarantine(quarantine::Quarantine),
    /// Copy the town while it serves, and check the copy · 备份.
    #[command(long_about = backup::LONG)]
    Backup(backup::Backup),
    /// Make a town from a backup · 恢复.
    #[command(long_about = restore::LONG)]
    Restore(restore::Restore),
    /// Check everything that is stored · 校验.
    #[command(long_about = verify::LONG)]
    Verify(verify::Verify),
    /// Compare what was signed for a phone · 核对已签名位置.
    #[command(long_about = compare::LONG)]
    Compare(compare::Compare),
    /// Check the settings, or print them as they hold · 检查配置.
    #[command(long_about = config::LONG)]
    Config(config::Config),
}

/// Why a command did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The demo.
    #[error(transparent)]
    Demo(#[from] demo::Trouble),
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The town.
    #[error(transparent)]
    Town(#[from] TownError),
    /// A file of divisions.
    #[error(transparent)]
    Divisions(#[from] Mistakes),
    /// Certificate or key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is no town in the data folder.
    #[error("{0} holds no town yet: start with `import-divisions`, or name the folder with --data")]
    NoTown(PathBuf),
    /// What is stored does not fit together.
    #[error("{0} findings: restore the last backup")]
    Unverified(usize),
    /// Nothing of this number is kept aside.
    #[error("nothing of number {0} is kept aside: see `quarantine list`")]
    NotAside(i64),
    /// A piece builds on another.
    #[error("{0} builds on change {1}, which is not here: decide about that one first, it stands before it in `quarantine list`")]
    BuildsOn(i64, Hash),
    /// A file, a socket, the terminal.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What went wrong.
        source: io::Error,
    },
}

/// For `map_err`: says what was being done.
fn during<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Failure {
    move |source| Failure::Io { what: what.into(), source: source.into() }
}

fn written<E: Into<io::Error>>() -> impl FnOnce(E) -> Failure {
    during("writing to standard output")
}

/// The town in the data folder; made there when there is none.
async fn open(common: &Common) -> Result<Arc<Town>, Failure> {
    open_as(common, TownOptions::default()).await
}

async fn open_as(common: &Common, options: TownOptions) -> Result<Arc<Town>, Failure> {
    let data = common.data.clone();
    blocking(move || Town::open(&data, options, Arc::new(System::new())).map(Arc::new)).await
}

/// The town in the data folder, which must be there: a mistyped folder is not to look like an empty town.
async fn existing(common: &Common) -> Result<Arc<Town>, Failure> {
    if common.data.is_dir() { open(common).await } else { Err(Failure::NoTown(common.data.clone())) }
}

/// Runs what reads or writes whole databases beside the runtime's threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, TownError> + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other).map_err(during("working"))?;
    Ok(done?)
}

/// Runs a command line to its end.
pub fn main(line: impl IntoIterator<Item = impl Into<OsString>>) -> ExitCode {
    let parsed = match settings::parse(line) {
        Ok(parsed) => parsed,
        // Help and version go to standard output with status 0, wrong usage to standard error with 2.
        Err(ConfigError::Usage(usage)) => {
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
        Err(error) => return failed(&error.into(), 2),
    };
    logs::start(&parsed.cli.common.log, parsed.cli.common.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(during("starting the runtime")) {
        Ok(runtime) => runtime,
        Err(failure) => return failed(&failure, 1),
    };
    let mut out = io::stdout().lock();
    let done = runtime.block_on(run(parsed, &mut out)).and_then(|()| out.flush().map_err(during("writing to standard output")));
    // A pack that is being compressed is not waited for: it is built beside the old one.
    runtime.shutdown_timeout(Duration::from_secs(2));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failed(&failure, 1),
    }
}

async fn run(parsed: settings::Parsed, out: &mut dyn Write) -> Result<(), Failure> {
    let common = &parsed.cli.common;
    match &parsed.cli.command {
        Command::Demo(demo) => Ok(demo.run(out).await?),
        Command::Serve(serve) => serve.run(common).await,
        Command::ImportDivisions(import) => import.run(common, out).await,
        Command::Grids(grids) => grids.run(common, out).await,
        Command::Orgs(orgs) => orgs.run(common, out).await,
        Command::Invite(invite) => invite.run(common, out).await,
        Command::Devices(devices) => devices.run(common, out).await,
        Command::Quarantine(quarantine) => quarantine.run(common, out).await,
        Command::Backup(backup) => backup.run(common, out).await,
        Command::Restore(restore) => restore.run(common, out).await,
        Command::Verify(verify) => verify.run(common, out).await,
        Command::Compare(compare) => compare.run(common, out).await,
        Command::Config(config) => config.run(&parsed, out).await,
    }
}

fn failed(failure: &Failure, status: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "sync-server: {failure}");
    ExitCode::from(status)
}
