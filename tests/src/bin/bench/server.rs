//! The server in a process of its own, so that its memory and CPU are its own: this program, started again with `serve`.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::env::System;
use fieldgrid_core::wire::enrol::Invite;
use sync_server::http;
use sync_server::town::{InviteOrder, Town, TownOptions};

use crate::Outcome;

/// A running server. It ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    pub address: SocketAddr,
    child: Child,
    says: BufReader<ChildStdout>,
    told: Option<ChildStdin>,
}

impl Server {
    /// Starts a server on a town's data, and gives it the idle moment in which it compresses its packs well.
    pub fn start(data: &Path) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?).arg("serve").arg(data).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut says = BufReader::new(child.stdout.take().ok_or("no output")?);
        let told = child.stdin.take();
        let address = line(&mut says)?.parse()?;
        let mut server = Self { address, child, says, told };
        server.tell("improve")?;
        Ok(server)
    }

    /// A code for a new phone.
    pub fn invite(&mut self, role: Role, scopes: &[AreaCode]) -> Outcome<Invite> {
        let scopes = scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        Ok(self.tell(&format!("invite {} {scopes}", role.code()))?.parse()?)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn tell(&mut self, order: &str) -> Outcome<String> {
        let told = self.told.as_mut().ok_or("closed")?;
        writeln!(told, "{order}")?;
        told.flush()?;
        line(&mut self.says)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.told = None;
        if let Err(error) = self.child.wait() {
            crate::note(&format!("the server: {error}"));
        }
    }
}

fn line(says: &mut BufReader<ChildStdout>) -> Outcome<String> {
    let mut line = String::new();
    says.read_line(&mut line)?;
    if line.is_empty() { Err("the server ended".into()) } else { Ok(line.trim_end().to_owned()) }
}

/// The server process: says its address, then answers orders until its input ends.
pub async fn serve(data: &Path) -> Outcome<()> {
    let town = Arc::new(Town::open(data, TownOptions::default(), Arc::new(System::new()))?);
    // All phones of the benchmark enrol from one address.
    let limits = http::Limits { enrolments_a_minute: 10_000, ..http::Limits::default() };
    let app = http::App::new(Arc::clone(&town), http::Options { limits, ..http::Options::default() });
    let running = http::start(Arc::clone(&app), http::router(app), ([127, 0, 0, 1], 0).into(), None)?;
    let url = format!("http://{}", running.address);
    say(&running.address.to_string())?;
    while let Some(order) = tokio::task::spawn_blocking(|| std::io::stdin().lines().next().transpose()).await?? {
        let words: Vec<&str> = order.split(' ').collect();
        match words[..] {
            ["improve"] => say(&format!("{} packs", town.improve_packs().await?))?,
            ["invite", role, scopes] => {
                let scopes = scopes.split(',').map(str::parse).collect::<Result<_, _>>()?;
                let valid = Duration::from_secs(3600);
                let code = town.invite(InviteOrder { role: Role::from_code(role.parse()?), org: None, scopes, name: None, valid }).await?;
                say(&Invite { server: url.clone(), code: code.code, root: code.root, signs: true }.to_string())?;
            }
            _ => return Err(format!("what is {order:?}?").into()),
        }
    }
    running.stop().await?;
    town.close().await;
    Ok(())
}

fn say(words: &str) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{words}")?;
    Ok(out.flush()?)
}
