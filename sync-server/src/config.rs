//! Settings: a flag beats the environment, the environment beats the file, the file beats the default.
//!
//! A setting has one name in all three: `--tls-cert`, `FIELDGRID_TLS_CERT`, `tls-cert = "…"`. It is declared once, as a flag; the file's
//! values become the flags' defaults, so what a flag may be, the file may be.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, CommandFactory, FromArgMatches};
use toml::de::{DeTable, DeValue};

use crate::command::Cli;
use crate::http::{Limits, Options, Tls, TlsError};
use crate::telemetry::logs::{self, LogFormat};
use crate::town::{Quota, TownOptions};

/// Settings of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Settings of every command")]
pub struct Common {
    /// TOML file with settings: the names below without the dashes. `config --print` shows what holds in the end · 配置文件.
    #[arg(long, global = true, value_name = "FILE", env = "FIELDGRID_CONFIG")]
    pub config: Option<PathBuf>,
    /// The folder that holds everything: records, keys, packs · 数据目录.
    #[arg(long, global = true, value_name = "DIR", env = "FIELDGRID_DATA", default_value = "fieldgrid-data")]
    pub data: PathBuf,
    /// What is logged: a level (error, warn, info, debug), or levels by part: `warn,sync_server::http=debug`.
    #[arg(long, global = true, value_name = "FILTER", env = "FIELDGRID_LOG", default_value = "info", value_parser = logs::filter)]
    pub log: String,
    /// How log lines look on standard error; auto is text on a terminal and JSON elsewhere.
    #[arg(long, global = true, value_name = "FORMAT", env = "FIELDGRID_LOG_FORMAT", default_value = "auto")]
    pub log_format: LogFormat,
}

/// Where phones find the server; also printed into invitations.
#[derive(Debug, Clone, Args)]
pub struct PublicUrl {
    /// The address phones use, as it is printed into invitations: `https://grid.example.cn` · 手机访问的地址.
    #[arg(long, value_name = "URL", env = "FIELDGRID_PUBLIC_URL", default_value = "http://127.0.0.1:8610", value_parser = base_url)]
    pub public_url: String,
}

/// Settings of the server itself.
#[derive(Debug, Clone, Args)]
pub struct Serving {
    /// Address and port to listen on.
    #[arg(long, value_name = "ADDRESS", env = "FIELDGRID_LISTEN", default_value = "127.0.0.1:8610")]
    pub listen: SocketAddr,
    /// Where phones find the server.
    #[command(flatten)]
    pub public: PublicUrl,
    /// Certificate chain, PEM, leaf first. SIGHUP reads it again after renewal · 证书.
    #[arg(long, value_name = "FILE", env = "FIELDGRID_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM · 私钥.
    #[arg(long, value_name = "FILE", env = "FIELDGRID_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// For trials: make a certificate in the data folder and use it. Phones have to be given it as a trusted CA · 自签名证书（试用）.
    #[arg(long, env = "FIELDGRID_SELF_SIGNED", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_name = "BOOL")]
    pub self_signed: bool,
    /// A proxy in front ends TLS and sets X-Forwarded-For (used for rate limits, never logged). Without it and without TLS only loopback is served · 在反向代理之后.
    #[arg(long, env = "FIELDGRID_BEHIND_PROXY", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_name = "BOOL")]
    pub behind_proxy: bool,
    /// Requests worked on at once; more wait five seconds for their turn and are then told when to come back.
    #[arg(long, value_name = "N", env = "FIELDGRID_IN_FLIGHT", default_value_t = 64, value_parser = count(1..=4096))]
    pub in_flight: usize,
    /// Memory for request bodies, from their first byte to the answer, what they unpack to included, MiB.
    #[arg(long, value_name = "MIB", env = "FIELDGRID_BODY_MEMORY", default_value_t = 256, value_parser = count(32..=65_536))]
    pub body_memory: usize,
    /// Event streams open at once. Each is a connection: raise the limit of open files with it.
    #[arg(long, value_name = "N", env = "FIELDGRID_EVENT_STREAMS", default_value_t = 10_000, value_parser = count(0..=1_000_000))]
    pub event_streams: usize,
    /// Attempts from one address in a minute to enrol, or to open the console.
    #[arg(long, value_name = "N", env = "FIELDGRID_ENROLMENTS_A_MINUTE", default_value_t = 20, value_parser = count(1..=100_000))]
    pub enrolments_a_minute: usize,
    /// Changes and facts that one phone may bring at once or in an hour; beyond it, it is told when to come again and keeps them. A hard evening is 150.
    #[arg(long, value_name = "N", env = "FIELDGRID_ITEMS_AN_HOUR", default_value_t = 20_000, value_parser = count(1_000..=100_000_000))]
    pub items_an_hour: usize,
    /// Work that one phone may bring at once or in an hour, MiB. A hard evening is 30 KB.
    #[arg(long, value_name = "MIB", env = "FIELDGRID_MIB_AN_HOUR", default_value_t = 128, value_parser = count(16..=1_000_000))]
    pub mib_an_hour: usize,
    /// Ask for this bearer token on /metrics; without it /metrics answers everyone.
    #[arg(long, value_name = "TOKEN", env = "FIELDGRID_METRICS_TOKEN", hide_env_values = true)]
    pub metrics_token: Option<String>,
    /// Serve the supervisors' console on /console to whoever has this key; without it there is no console.
    #[arg(long, value_name = "KEY", env = "FIELDGRID_CONSOLE_KEY", hide_env_values = true)]
    pub console_key: Option<String>,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A flag or a variable is wrong, or help was asked for: clap knows how to say it.
    #[error("{0}")]
    Usage(#[from] clap::Error),
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// A line of the file is wrong.
    #[error("{path}:{line}: {mistake}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        mistake: String,
    },
    /// Settings that do not go together.
    #[error("{0}")]
    Together(&'static str),
}

impl Serving {
    /// Settings that go together.
    ///
    /// # Errors
    /// [`ConfigError::Together`].
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |message| Err(ConfigError::Together(message));
        let certificate = self.tls_cert.is_some();
        if certificate != self.tls_key.is_some() {
            return wrong("tls-cert and tls-key go together: give both, or neither");
        }
        if certificate && self.self_signed {
            return wrong("self-signed makes a certificate of its own: leave it out where tls-cert is given");
        }
        if !certificate && !self.self_signed && !self.behind_proxy && !self.listen.ip().is_loopback() {
            return wrong("records would travel unencrypted: give tls-cert and tls-key, or self-signed for a trial, or behind-proxy where a proxy ends TLS");
        }
        Ok(())
    }

    /// Certificate and key as given.
    #[must_use]
    pub fn tls_files(&self) -> Option<Tls> {
        Some(Tls { certificate: self.tls_cert.clone()?, key: self.tls_key.clone()? })
    }

    /// Certificate and key to serve with: as given, or made for a trial, for the public address's host and this machine.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn tls(&self, common: &Common) -> Result<Option<Tls>, TlsError> {
        if !self.self_signed {
            return Ok(self.tls_files());
        }
        let url = &self.public.public_url;
        let authority = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest.split('/').next().unwrap_or_default());
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => authority,
        };
        let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1", host.trim_matches(['[', ']'])].map(str::to_owned).into();
        names.dedup();
        Tls::self_signed(&common.data, names).map(Some)
    }

    /// How the town is run.
    #[must_use]
    pub fn town(&self) -> TownOptions {
        let quota = Quota { items: u32::try_from(self.items_an_hour).unwrap_or(u32::MAX), bytes: (self.mib_an_hour as u64) << 20 };
        TownOptions { quota, ..TownOptions::default() }
    }

    /// What the HTTP side is set up with.
    #[must_use]
    pub fn options(&self) -> Options {
        Options {
            limits: Limits {
                in_flight: self.in_flight,
                bodies: self.body_memory << 20,
                event_streams: self.event_streams,
                enrolments_a_minute: u32::try_from(self.enrolments_a_minute).unwrap_or(u32::MAX),
                patience: Duration::from_secs(5),
                answer_within: Duration::from_secs(30),
            },
            behind_proxy: self.behind_proxy,
            metrics_token: self.metrics_token.clone(),
        }
    }
}

fn count(range: std::ops::RangeInclusive<usize>) -> impl clap::builder::TypedValueParser<Value = usize> {
    use clap::builder::TypedValueParser;
    clap::builder::StringValueParser::new().try_map(move |text| match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("a whole number from {} to {}", range.start(), range.end())),
    })
}

fn base_url(text: &str) -> Result<String, &'static str> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    // An invitation is `key=value` pairs (`wire::enrol::Invite`): these would end the value.
    match host {
        Some(host) if !host.is_empty() && !host.contains(['&', '=', '?', '#', ' ']) => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err("http:// or https://, a host, and a port if it is not the usual one"),
    }
}

/// A command line with everything that stands behind it.
#[derive(Debug)]
pub struct Parsed {
    /// What is to be done.
    pub cli: Cli,
    matches: ArgMatches,
    file: Option<File>,
}

/// Reads a command line, the environment, and the file that either names.
///
/// # Errors
/// [`ConfigError`]; asking for help or the version is one too.
pub fn parse(line: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Parsed, ConfigError> {
    let line: Vec<OsString> = line.into_iter().map(Into::into).collect();
    let mut command = Cli::command();
    let named = command.clone().try_get_matches_from(&line)?.get_one::<PathBuf>("config").cloned();
    let file = named.map(File::read).transpose()?;
    if let Some(file) = &file {
        command = file.applied_to(command)?;
    }
    let matches = command.try_get_matches_from(&line)?;
    Ok(Parsed { cli: Cli::from_arg_matches(&matches)?, matches, file })
}

impl Parsed {
    /// Every setting that holds, as a file that could be given to `--config`, each with where it came from.
    #[must_use]
    pub fn effective(&self) -> String {
        let command = Cli::command();
        let serving = command.find_subcommand("config");
        let here = self.matches.subcommand().map(|(_, matches)| matches);
        let mut text = String::new();
        for arg in settings(&command).chain(serving.into_iter().flat_map(settings)) {
            let (Some(key), id) = (arg.get_long(), arg.get_id().as_str()) else { continue };
            let Some(matches) = [here, Some(&self.matches)].into_iter().flatten().find(|matches| matches!(matches.try_contains_id(id), Ok(true))) else {
                let _ = writeln!(text, "# {key} is not set");
                continue;
            };
            let value = matches.get_raw(id).and_then(|mut values| values.next()).unwrap_or_default().to_string_lossy();
            let value = if arg.is_hide_env_values_set() { "…".into() } else { value };
            let bare = value.parse::<bool>().is_ok() || value.parse::<u64>().is_ok();
            let value = if bare { value.into_owned() } else { toml::Value::from(value.as_ref()).to_string() };
            let _ = writeln!(text, "{key} = {value}  # {}", self.origin(arg, matches));
        }
        text
    }

    fn origin(&self, arg: &Arg, matches: &ArgMatches) -> String {
        let key = arg.get_long().unwrap_or_default();
        match matches.value_source(arg.get_id().as_str()) {
            Some(ValueSource::CommandLine) => format!("--{key}"),
            Some(ValueSource::EnvVariable) => arg.get_env().unwrap_or_default().to_string_lossy().into_owned(),
            _ => match self.file.as_ref().and_then(|file| file.entries.iter().find(|entry| entry.key == key).map(|entry| (file, entry.line))) {
                Some((file, line)) => format!("{}:{line}", file.path.display()),
                None => "default".to_owned(),
            },
        }
    }
}

/// The settings among a command's flags: those that the environment can give, too. The file's own name is not one.
fn settings(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| arg.get_env().is_some() && arg.get_id() != "config")
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    key: String,
    value: String,
    line: usize,
}

impl File {
    fn read(path: PathBuf) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
        let line_at = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
        let wrong = |line, mistake| ConfigError::Line { path: path.clone(), line, mistake };
        let table = DeTable::parse(&text).map_err(|error| wrong(line_at(error.span().map_or(0, |span| span.start)), error.message().to_owned()))?;
        let mut entries = Vec::new();
        for (key, value) in table.get_ref() {
            let line = line_at(key.span().start);
            let value = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Boolean(yes) => yes.to_string(),
                DeValue::Integer(number) => number.to_string(),
                _ => return Err(wrong(line, format!("{}: a text, a number, true or false is expected", key.get_ref()))),
            };
            entries.push(Entry { key: key.get_ref().to_string(), value, line });
        }
        Ok(Self { path, entries })
    }

    /// The command with the file's values as its defaults.
    fn applied_to(&self, mut command: Command) -> Result<Command, ConfigError> {
        for entry in &self.entries {
            let wrong = |mistake: String| ConfigError::Line { path: self.path.clone(), line: entry.line, mistake };
            let of = |command: &Command| settings(command).find(|arg| arg.get_long() == Some(&entry.key)).cloned();
            let arg = of(&command).or_else(|| command.get_subcommands().find_map(of));
            let arg = arg.ok_or_else(|| wrong(format!("there is no setting {:?}; `config --print` lists them", entry.key)))?;
            check(&arg, &entry.value).map_err(wrong)?;
            command = set_default(command, arg.get_id().as_str(), &entry.value);
        }
        Ok(command)
    }
}

/// Whether the flag takes the value, said in its own words.
fn check(arg: &Arg, value: &str) -> Result<(), String> {
    let key = arg.get_long().unwrap_or_default();
    let alone = Command::new("file").no_binary_name(true).disable_help_flag(true).arg(arg.clone().global(false).env(None::<&str>));
    match alone.try_get_matches_from([format!("--{key}={value}")]) {
        Ok(_) => Ok(()),
        Err(error) => {
            let said = error.to_string();
            // Without the hint about --help, which is about flags.
            let words = said.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
            Err(words.split_whitespace().collect::<Vec<_>>().join(" "))
        }
    }
}

fn set_default(command: Command, id: &str, value: &str) -> Command {
    let has = |command: &Command| command.get_arguments().any(|arg| arg.get_id() == id);
    let names: Vec<_> = command.get_subcommands().filter(|sub| has(sub)).map(|sub| sub.get_name().to_owned()).collect();
    let set = |command: Command| command.mut_arg(id, |arg| arg.default_value(value.to_owned()));
    let command = if has(&command) { set(command) } else { command };
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, set))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn parsed(file: &tempfile::NamedTempFile, rest: &[&str]) -> Result<Parsed, ConfigError> {
        let path = file.path().to_str().unwrap();
        parse(["sync-server", "--config", path].iter().chain(rest))
    }

    fn mistake(text: &str) -> String {
        let file = file(text);
        let error = parsed(&file, &["config"]).unwrap_err().to_string();
        error.replace(file.path().to_str().unwrap(), "FILE")
    }

    #[test]
    fn a_flag_beats_the_file_and_the_file_the_default() {
        let file = file("data = \"/srv/grid\"\nin-flight = 7\nlisten = \"127.0.0.1:1\"\nbehind-proxy = true\n");
        let parsed = parsed(&file, &["serve", "--listen", "127.0.0.1:2"]).unwrap();
        assert_eq!(parsed.cli.common.data, PathBuf::from("/srv/grid"));
        let crate::command::Command::Serve(serve) = parsed.cli.command else { panic!("serve was asked for") };
        assert_eq!((serve.serving.listen.port(), serve.serving.in_flight, serve.serving.event_streams), (2, 7, 10_000));
        assert!(serve.serving.behind_proxy);
    }

    #[test]
    fn what_is_printed_says_where_it_came_from_and_is_itself_a_file() {
        let first = file("# the town\ndata = \"/srv/grid\"\nself-signed = false\n");
        let printed = parsed(&first, &["config", "--in-flight", "9", "--metrics-token", "hush"]).unwrap().effective();
        let printed = printed.replace(first.path().to_str().unwrap(), "FILE");
        insta::assert_snapshot!(printed);
        let again = parsed(&file(&printed), &["serve"]).unwrap();
        let crate::command::Command::Serve(serve) = again.cli.command else { panic!("serve was asked for") };
        assert_eq!(serve.serving.in_flight, 9);
    }

    #[test]
    fn a_wrong_line_is_named() {
        let mistakes = [
            "lisn = \"x\"",
            "\n\nin-flight = 0",
            "listen = \"nonsense\"",
            "data = [1]",
            "log = ",
            "behind-proxy = \"maybe\"",
            "log = \"warn,=\"",
            "config = \"other.toml\"",
            "public-url = \"grid\"",
            "public-url = \"https://a.cn/?x\"",
            "data = \"a\"\ndata = \"b\"",
            "[serve]\nlisten = \"127.0.0.1:1\"",
        ]
        .map(mistake);
        insta::assert_snapshot!(mistakes.join("\n"));
    }

    #[test]
    fn settings_that_do_not_go_together_are_refused() {
        let check = |flags: &[&str]| {
            let line = ["sync-server", "serve"].iter().chain(flags);
            let crate::command::Command::Serve(serve) = parse(line).unwrap().cli.command else { panic!("serve was asked for") };
            serve.serving.check().map_err(|error| error.to_string())
        };
        assert!(check(&[]).is_ok());
        assert!(check(&["--listen", "[::1]:8610"]).is_ok());
        assert!(check(&["--listen", "0.0.0.0:8610"]).unwrap_err().contains("unencrypted"));
        assert!(check(&["--listen", "0.0.0.0:8610", "--behind-proxy"]).is_ok());
        assert!(check(&["--listen", "0.0.0.0:8610", "--self-signed"]).is_ok());
        assert!(check(&["--tls-cert", "c"]).unwrap_err().contains("go together"));
        assert!(check(&["--tls-cert", "c", "--tls-key", "k", "--self-signed"]).unwrap_err().contains("leave it out"));
    }
}
