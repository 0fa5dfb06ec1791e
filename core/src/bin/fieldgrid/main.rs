//! `fieldgrid`: a phone one can type at, on the engine that the apps use.

mod args;
mod case;
mod compare;
mod enrol;
mod export;
mod household;
mod key;
mod output;
mod record;
mod refused;
mod sync;
mod time;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use fieldgrid_core::device::runner::Pace;
use fieldgrid_core::device::store::{OpenError, OpenOptions, SaveError, StoreError};
use fieldgrid_core::device::transport::{HttpConnect, TransportSetupError};
use fieldgrid_core::device::{Device, DeviceOptions};
use fieldgrid_core::env::System;
use tokio::runtime::Runtime;

use args::{Cli, Command, Household};
use output::Out;

/// Why a command did not do what it was asked, with the exit code that says so.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    reason: String,
}

impl Failure {
    fn new(code: u8, reason: impl std::fmt::Display) -> Self {
        Self { code, reason: reason.to_string() }
    }

    /// Anything that has no code of its own.
    pub fn other(reason: impl std::fmt::Display) -> Self {
        Self::new(1, reason)
    }

    /// What was typed cannot be used.
    pub fn usage(reason: impl std::fmt::Display) -> Self {
        Self::new(2, reason)
    }

    /// The device is not enrolled, or could not be.
    pub fn enrolment(reason: impl std::fmt::Display) -> Self {
        Self::new(3, reason)
    }

    /// Not everything was exchanged with the centre.
    pub fn unsynced(reason: impl std::fmt::Display) -> Self {
        Self::new(4, reason)
    }

    /// The rules do not allow it.
    pub fn refused(reason: impl std::fmt::Display) -> Self {
        Self::new(5, reason)
    }

    /// There is no such record on this phone.
    pub fn missing(reason: impl std::fmt::Display) -> Self {
        Self::new(6, reason)
    }

    /// The store does not open.
    pub fn store(reason: impl std::fmt::Display) -> Self {
        Self::new(7, reason)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::RegistryLocked => Self::refused(format_args!("已超过离线期限，联系中心前不能查看户与人员 · {error}")),
            StoreError::NotApproved => Self::refused(format_args!("{} · {error}", error.words().zh)),
            StoreError::NotEnrolled => SaveError::NotEnrolled.into(),
            _ => Self::other(error),
        }
    }
}

impl From<SaveError> for Failure {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::NotEnrolled => Self::enrolment(format_args!("本机尚未入网，请先运行 fieldgrid enrol · {error}")),
            SaveError::ReportOnly => Self::refused(format_args!("联系中心前只能上报和补充 · {error}")),
            SaveError::NotApproved => StoreError::NotApproved.into(),
            SaveError::Form(wrong) => Self::usage(format_args!("{} · {wrong}", wrong.words().zh)),
            SaveError::OtherKind => Self::usage(format_args!("{} · {error}", error.words().zh)),
            SaveError::NoSuchPerson => Self::missing(format_args!("{} · {error}", error.words().zh)),
            SaveError::Refused(reason) => {
                let (zh, en) = reason.words();
                Self::refused(format_args!("{zh} · {en}"))
            }
            SaveError::NoSuchRecord => Self::missing(format_args!("本机没有这条记录 · {error}")),
            SaveError::Storage(error) => error.into(),
            SaveError::Nothing => Self::usage(format_args!("内容没有变化 · {error}")),
            SaveError::Record(error) => Self::usage(error),
            _ => Self::other(error),
        }
    }
}

impl From<TransportSetupError> for Failure {
    fn from(error: TransportSetupError) -> Self {
        Self::usage(error)
    }
}

/// What every command works with.
struct App {
    device: Device,
    out: Out,
    runtime: Runtime,
}

impl App {
    /// Households are locked without a grant; that there is none says more.
    fn enrolled(&self) -> Result<(), Failure> {
        if self.device.identity().is_none() {
            return Err(SaveError::NotEnrolled.into());
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let out = Out::new(cli.lang, cli.json);
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).with_writer(std::io::stderr).init();
    match run(cli, out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out.warn(failure.reason);
            ExitCode::from(failure.code)
        }
    }
}

fn run(cli: Cli, out: Out) -> Result<(), Failure> {
    if let Command::InviteQr(args) = &cli.command {
        return enrol::invite_qr(out, args);
    }
    let app = open(&cli, out)?;
    match cli.command {
        Command::Enrol(args) => app.enrol(args),
        Command::Report(fields) => app.report(fields),
        Command::List(args) => app.list(&args),
        Command::Show(args) | Command::Household(Household::Show(args)) => app.show(&args),
        Command::Act(args) => app.act(args),
        Command::Household(command) => app.household(command),
        Command::Visit(args) => app.visit(args),
        Command::Search(args) => app.search(&args),
        Command::Sync(args) => app.sync(&args),
        Command::Watch => app.watch(),
        Command::Status => app.status(),
        Command::Refused(command) => app.refused(command),
        Command::History(page) => app.history(&page),
        Command::Export(args) => app.export(&args),
        Command::Compare(args) => app.compare(&args),
        Command::InviteQr(_) => Ok(()),
    }
}

fn open(cli: &Cli, out: Out) -> Result<App, Failure> {
    let path = match &cli.store {
        Some(path) => path.clone(),
        None => default_store().ok_or_else(|| Failure::usage(out.say("请用 --store 指定数据库文件", "name the store's file with --store")))?,
    };
    let env = Arc::new(System::new());
    let key = key::load(&out, cli.key_file.clone(), &path, &*env)?;
    let ca_pem = match &cli.ca {
        Some(file) => Some(std::fs::read(file).map_err(|error| Failure::usage(format_args!("{}: {error}", file.display())))?),
        None => None,
    };
    let runtime = Runtime::new().map_err(Failure::other)?;
    let options = DeviceOptions { store: OpenOptions::new(&path, *key, env), connect: Arc::new(HttpConnect { ca_pem }), pace: Pace::default() };
    let device = Device::open(options, runtime.handle().clone()).map_err(|error| Failure::store(unopened(out, &error)))?;
    Ok(App { device, out, runtime })
}

fn unopened(out: Out, error: &OpenError) -> String {
    let zh = match error {
        OpenError::WrongKey => "密钥不对，数据库未改动",
        OpenError::NewerSchema { .. } => "数据库来自更新的版本，请更新程序；数据库未改动",
        OpenError::Damaged => "数据库文件已损坏，原样保留以备恢复",
        OpenError::Locked => "数据库正被另一个进程使用",
        _ => "数据库打不开",
    };
    out.say(format_args!("{zh}({error})"), error)
}

fn default_store() -> Option<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share")))?;
    Some(data.join("fieldgrid/phone.db"))
}
