//! The program itself: started, asked, told to stop.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fieldgrid_core::wire::enrol::Invite;

/// Runs the program to its end.
pub fn run(data: &Path, line: &[&str]) -> Output {
    program(data).args(line).output().unwrap()
}

fn program(data: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_sync-server"));
    // Settings of whoever runs the tests do not count.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FIELDGRID_")) {
        program.env_remove(name);
    }
    program.env("FIELDGRID_DATA", data).env("COLUMNS", "100");
    program
}

/// A server process; killed when dropped, so that a failing test leaves none behind.
pub struct Server {
    process: Child,
    pub address: String,
    log: Option<JoinHandle<String>>,
}

impl Server {
    pub fn start(data: &Path, options: &[&str]) -> Self {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--log-format", "json"];
        let mut process = program(data).args(serve).args(options).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("\"serving\"") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the server ended before it served");
        }
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = line["address"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        // A full pipe would stop it.
        let log = Some(std::thread::spawn(move || {
            let mut rest = String::new();
            log.read_to_string(&mut rest).unwrap();
            rest
        }));
        Self { process, address, log }
    }

    pub fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// MiB that the process has of the machine's memory.
    #[cfg(target_os = "linux")]
    fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB")).unwrap();
        kib.trim().parse::<usize>().unwrap() / 1024
    }

    /// Sends SIGTERM and waits for the end: status and the rest of the log.
    fn terminate(mut self) -> (std::process::ExitStatus, String) {
        assert!(Command::new("kill").arg(self.process.id().to_string()).status().unwrap().success());
        let until = Instant::now() + Duration::from_secs(20);
        while self.process.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "still running 20 s after SIGTERM");
            std::thread::sleep(Duration::from_millis(10));
        }
        (self.process.wait().unwrap(), self.log.take().unwrap().join().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_served_town_is_healthy_and_ends_well_when_told_to() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    assert!(server.get("/v1/health").starts_with("HTTP/1.1 200 OK\r\n"));
    let version = server.get("/v1/version");
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    let (status, log) = server.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("SIGTERM") && log.contains("\"stopped\""), "{log}");
}

#[cfg(target_os = "linux")]
#[test]
fn bodies_take_the_memory_that_they_are_given_and_no_more() {
    let data = tempfile::tempdir().unwrap();
    // A quarter of it is for strangers.
    let server = Server::start(data.path(), &["--body-memory", "128"]);
    assert!(server.get("/v1/health").starts_with("HTTP/1.1 200 OK\r\n"));
    let before = server.resident();
    // Five times as much twice over, in bodies that nearly end, and then as many small ones that unpack to 4 MiB each.
    let body = vec![0; (4 << 20) - 1];
    let bomb = [&[1], zstd::bulk::compress(&vec![0; 4 << 20], 1).unwrap().as_slice()].concat();
    let send = |length: usize, body: &[u8]| {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        write!(stream, "POST /v1/sync HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n").unwrap();
        // Who is turned away may find the line closed.
        let _ = stream.write_all(body);
        stream
    };
    let mut most = 0;
    for round in 0..3 {
        let streams: Vec<TcpStream> = (0..40).map(|_| if round < 2 { send(body.len() + 1, &body) } else { send(bomb.len(), &bomb) }).collect();
        for _ in 0..50 {
            most = server.resident().max(most);
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(streams);
    }
    assert!(most - before < 32 + 16, "{} MiB for bodies", most - before);
    assert!(most - before > 16, "bodies were held");
}

#[test]
fn help_teaches() {
    let data = tempfile::tempdir().unwrap();
    let help = |line: &[&str]| {
        let output = run(data.path(), line);
        assert_eq!(output.status.code(), Some(0));
        // The value of FIELDGRID_DATA is this test's folder; trailing blanks are clap's.
        let text = String::from_utf8(output.stdout).unwrap().replace(data.path().to_str().unwrap(), "DIR");
        text.lines().map(|line| line.trim_end().to_owned() + "\n").collect::<String>()
    };
    insta::assert_snapshot!("help", help(&["--help"]));
    insta::assert_snapshot!("help_serve", help(&["serve", "--help"]));
    for command in ["import-divisions", "grids", "orgs", "invite", "devices", "backup", "restore", "verify", "config"] {
        insta::assert_snapshot!(format!("help_{command}"), help(&[command, "-h"]));
    }
}

#[test]
fn wrong_usage_is_status_2_and_a_failure_status_1() {
    let data = tempfile::tempdir().unwrap();
    assert_eq!(run(data.path(), &["serve", "--lisn", "x"]).status.code(), Some(2));
    let missing = run(data.path(), &["--config", "/nonexistent/fieldgrid.toml", "serve"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8(missing.stderr).unwrap().contains("/nonexistent/fieldgrid.toml"));
    let open = run(data.path(), &["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(open.status.code(), Some(1));
    assert!(String::from_utf8(open.stderr).unwrap().contains("unencrypted"));
}

pub fn lines(output: &Output) -> Vec<String> {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_town_is_set_up_backed_up_and_restored_while_it_serves() {
    let dir = tempfile::tempdir().unwrap();
    let (data, copy, restored) = (dir.path().join("town"), dir.path().join("backup.db"), dir.path().join("restored"));
    let missing = run(&data, &["verify"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(!data.exists(), "looking at a town that is not there does not make one");

    let import = ["import-divisions", "--builtin", "hanzhong"];
    assert_eq!(lines(&run(&data, &import))[1], "imported · 已导入: 2376 new, 0 renamed, 0 unchanged");
    assert_eq!(lines(&run(&data, &import))[1], "imported · 已导入: 0 new, 0 renamed, 2376 unchanged");
    let server = Server::start(&data, &[]);
    let grids = lines(&run(&data, &["grids", "create", "610702001001", "--count", "2"]));
    assert_eq!(grids.iter().map(|line| &line[..15]).collect::<Vec<_>>(), ["610702001001001", "610702001001002"]);
    let org = lines(&run(&data, &["orgs", "create", "城管中队", "--area", "610702001"])).remove(0);
    let invite = ["invite", "--role", "department", "--scope", "610702001", "--org", &org, "--public-url", "https://grid.example.cn/", "--json"];
    let invited: serde_json::Value = serde_json::from_str(&lines(&run(&data, &invite))[0]).unwrap();
    let invitation: Invite = invited["invite"].as_str().unwrap().parse().unwrap();
    assert_eq!(invitation.server, "https://grid.example.cn");
    assert_eq!(run(&data, &["invite", "--role", "department", "--scope", "610702001"]).status.code(), Some(1));

    lines(&run(&data, &["backup", copy.to_str().unwrap()]));
    assert_eq!(run(&data, &["backup", copy.to_str().unwrap()]).status.code(), Some(1), "a backup is never written over");
    assert_eq!(server.terminate().0.code(), Some(0));
    assert!(!data.join("town.db-wal").exists(), "the write-ahead log is folded in");
    assert_eq!(run(&data, &["restore", copy.to_str().unwrap()]).status.code(), Some(1), "a town is never written over");
    lines(&run(&restored, &["restore", copy.to_str().unwrap()]));
    assert_eq!(lines(&run(&restored, &["grids", "list", "610702001"])), grids);
    lines(&run(&restored, &["verify"]));
}

#[test]
fn a_file_of_divisions_with_a_mistake_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("town"), dir.path().join("divisions.csv"));
    std::fs::write(&file, "code,level,name\n6107,city,汉中市\n610702,town,汉台区\n").unwrap();
    let output = run(&data, &["import-divisions", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("nothing was imported") && said.contains("line 3:"), "{said}");
    std::fs::write(&file, "code,level,name\n6107,city,汉中\n").unwrap();
    assert_eq!(lines(&run(&data, &["import-divisions", file.to_str().unwrap()]))[1], "imported · 已导入: 1 new, 0 renamed, 0 unchanged");
}
