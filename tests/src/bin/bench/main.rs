//! The benchmark: the workload of `tests/bench/workload.mjs` replayed through the real engine and the real server, bytes counted on the socket.
//!
//! `cargo run --release -p fieldgrid-tests --bin bench`; how each figure is measured is said in `docs/benchmarks.md` and in the figure's own line.

mod admission;
mod evening;
mod figure;
mod first_load;
mod idle;
mod import;
mod local;
mod phone;
mod process;
mod server;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::{Parser, Subcommand};
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_tests::link::Speed;
use fieldgrid_tests::workload::{self, Workload};

use figure::Figures;
use import::Importer;

/// Whatever went wrong: a figure counts only when nothing did.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
/// A result of the benchmark.
pub type Outcome<T> = Result<T, Failure>;

/// A valley: 64 kbit/s and 200 ms.
const WEAK: Speed = Speed { bits_per_s: Some(64_000), round_trip: Duration::from_millis(200) };

/// Replays the workload through the engine and the server and prints what it cost: one JSON object a line, then a table.
#[derive(Debug, Parser)]
struct Args {
    /// Only these figures.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    only: Vec<String>,
    /// What `node tests/bench/workload.mjs --out DIR` wrote; by default it is run.
    #[arg(long, value_name = "DIR")]
    workload: Option<PathBuf>,
    /// Print the table on standard output instead of the JSON lines.
    #[arg(long)]
    markdown: bool,
    /// How often each timing is taken; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Where stores and data go: on the disk that is to be measured.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// The server's process.
    #[command(hide = true)]
    Serve {
        /// A town's data.
        data: PathBuf,
    },
}

/// What every figure is measured on.
#[derive(Debug)]
struct Stage {
    workload: Workload,
    grids: Vec<AreaCode>,
    importers: Vec<Importer>,
    dir: PathBuf,
    runs: usize,
}

impl Stage {
    /// A copy of the town as it was after the import.
    fn town(&self, name: &str) -> Outcome<PathBuf> {
        let copy = self.dir.join(name);
        std::fs::create_dir_all(&copy)?;
        for file in std::fs::read_dir(self.dir.join("town"))? {
            let file = file?;
            if file.file_type()?.is_file() {
                std::fs::copy(file.path(), copy.join(file.file_name()))?;
            }
        }
        Ok(copy)
    }

    /// A folder for phones' stores.
    fn folder(&self, name: &str) -> Outcome<PathBuf> {
        let folder = self.dir.join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let args = Args::parse();
    let outcome = match &args.part {
        Some(Part::Serve { data }) => server::serve(data).await,
        None => bench(args).await,
    };
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(failure) => {
            note(&format!("bench: {failure}"));
            std::process::ExitCode::FAILURE
        }
    }
}

async fn bench(args: Args) -> Outcome<()> {
    let mut figures = Figures::new(args.only)?;
    let own = args.dir.as_ref().map_or_else(tempfile::tempdir, tempfile::tempdir_in)?;
    let dir = own.path().to_owned();
    let files = match args.workload {
        Some(files) => files,
        None => generate(&dir)?,
    };
    let workload = workload::load(&files)?;
    note("importing the town …");
    let importers = import::town(&dir.join("town"), &workload).await?;
    let stage = Stage { grids: import::grids(&workload)?, workload, importers, dir, runs: usize::from(args.runs) };

    admission::measure(&stage, &mut figures).await?;
    first_load::measure(&stage, &mut figures).await?;
    local::measure(&stage, &mut figures).await?;
    evening::of_a_device(&stage, &mut figures).await?;
    evening::of_a_town(&stage, &mut figures).await?;

    let mut out = std::io::stdout().lock();
    if args.markdown {
        write!(out, "{}", figures.table())?;
    } else {
        write!(out, "{}", figures.lines())?;
        note(&figures.table());
    }
    Ok(())
}

/// Runs the generator.
fn generate(dir: &Path) -> Outcome<PathBuf> {
    let files = dir.join("workload");
    let generator = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/workload.mjs");
    let ran = Command::new("node").arg(&generator).arg("--out").arg(&files).stdout(Stdio::null()).status();
    match ran {
        Ok(status) if status.success() => Ok(files),
        Ok(status) => Err(format!("node {}: {status}", generator.display()).into()),
        Err(error) => {
            Err(format!("node cannot be run ({error}): install Node.js 20 or newer, or make the workload elsewhere and pass it with --workload DIR").into())
        }
    }
}

/// Words for whoever watches; figures go to standard output.
#[expect(clippy::print_stderr, reason = "a program for the terminal")]
fn note(words: &str) {
    eprintln!("{words}");
}
