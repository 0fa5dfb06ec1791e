//! Processes that can be killed: the server itself, and a phone that types without end.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use fieldgrid_core::domain::id::{DocId, Hash};

use super::phone::{Phone, Typed};

/// The server as a process. Killed when dropped.
#[derive(Debug)]
pub struct Centre(Child);

impl Centre {
    /// Starts `program serve` and waits until it serves.
    ///
    /// # Panics
    /// When it ends before.
    #[must_use]
    pub fn start(program: &Path, data: &Path, address: SocketAddr) -> Self {
        let mut command = own_settings(program);
        command.arg("serve").arg("--data").arg(data).args(["--listen", &address.to_string(), "--log-format", "json"]).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let mut log = BufReader::new(child.stderr.take().expect("its log")).lines();
        let mut said = Vec::new();
        loop {
            match log.next() {
                Some(Ok(line)) if line.contains("\"serving\"") => break,
                Some(Ok(line)) => said.push(line),
                _ => panic!("the server ended before it served: {said:?}"),
            }
        }
        // A full pipe would stop it.
        std::thread::spawn(move || log.for_each(drop));
        Self(child)
    }

    /// Kills it at once, wherever it is.
    pub fn kill(&mut self) {
        kill(&mut self.0);
    }

    /// Memory that it holds, and the most that it ever held, bytes.
    ///
    /// # Panics
    /// When the system does not say.
    #[must_use]
    pub fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("a running process");
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line for it");
            line.trim().trim_end_matches(" kB").parse::<u64>().expect("kilobytes") << 10
        };
        (of("VmRSS:"), of("VmHWM:"))
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        kill(&mut self.0);
    }
}

/// A phone in a process of its own that types and syncs until it is killed.
#[derive(Debug)]
pub struct Typist {
    child: Child,
    lines: Receiver<String>,
}

impl Typist {
    /// Starts it on a phone whose app is closed, and waits until the store is open.
    ///
    /// # Panics
    /// When it ends before.
    #[must_use]
    pub fn start(program: &Path, phone: &Phone, seed: u64) -> Self {
        let key: String = phone.key.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut child = own_settings(program).arg(&phone.path).arg(key).arg(seed.to_string()).stdout(Stdio::piped()).spawn().expect("the phone starts");
        let out = BufReader::new(child.stdout.take().expect("its words"));
        let (say, lines) = channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).for_each(|line| drop(say.send(line))));
        let typist = Self { child, lines };
        assert_eq!(typist.lines.recv().as_deref(), Ok("open"));
        typist
    }

    /// Kills it at once; gives what it had said was saved.
    ///
    /// # Panics
    /// When it said something else.
    #[must_use]
    pub fn kill(mut self) -> Vec<Typed> {
        let ended = self.child.try_wait().expect("the process is known");
        assert_eq!(ended, None, "the phone ended by itself");
        kill(&mut self.child);
        self.lines.iter().filter_map(|line| typed(&line)).collect()
    }
}

impl Drop for Typist {
    fn drop(&mut self) {
        kill(&mut self.child);
    }
}

/// A whole line is an acknowledgement: a kill in the middle of one acknowledges nothing.
fn typed(line: &str) -> Option<Typed> {
    let mut words = line.split(' ');
    match (words.next()?, words.next()?.parse::<DocId>(), words.next()?.parse::<Hash>(), words.next()?) {
        ("saved", Ok(doc), Ok(edit), ".") => Some(Typed::Edit(doc, edit)),
        _ => None,
    }
}

fn kill(child: &mut Child) {
    // Both fail only when it has ended already.
    drop(child.kill());
    drop(child.wait());
}

/// A program that is not told what whoever runs the tests has set.
fn own_settings(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FIELDGRID_")) {
        command.env_remove(name);
    }
    command
}
