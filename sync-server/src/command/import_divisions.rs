//! `import-divisions`: the tree of divisions, all of it or nothing.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use fieldgrid_core::domain::area::{AreaCode, Level};

use super::{Failure, during, open, written};
use crate::config::Common;
use crate::divisions::{self, Division};
use crate::town::Town;

pub(super) const LONG: &str = "\
Loads the tree of divisions from a CSV file: code,level,name in UTF-8, one division a line, in any order · 导入区划代码表.

The whole file is checked first: digits and level agree, every division has its parent in the file or at the server, nothing is there
twice. Every mistake is named with its line, and then nothing is imported. Importing again is safe: what is there stays, names that
changed are changed.";

/// Load the tree of divisions.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples · 示例:
  sync-server import-divisions --builtin hanzhong
  sync-server import-divisions divisions.csv
  xsv select code,level,name all.csv | sync-server import-divisions -

The file · 文件:
  code,level,name
  6107,city,汉中市
  610702,county,汉台区
  610702001,town,北关街道
  610702001001,village,人民路居委会")]
#[group(required = true, multiple = false)]
pub struct ImportDivisions {
    /// The file; - is standard input.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A tree that comes with the program.
    #[arg(long, value_name = "NAME")]
    pub builtin: Option<Builtin>,
}

/// Trees that come with the program.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Builtin {
    /// 汉中市: 1 city, 11 counties, 177 towns, 2,187 villages; public codes.
    Hanzhong,
}

impl ImportDivisions {
    pub(super) async fn run(&self, common: &Common, out: &mut dyn Write) -> Result<(), Failure> {
        let source: Box<dyn Read> = match (&self.file, self.builtin) {
            (None, Some(Builtin::Hanzhong)) => Box::new(divisions::HANZHONG.as_bytes()),
            (Some(path), _) if path.as_os_str() == "-" => Box::new(io::stdin().lock()),
            (Some(path), _) => Box::new(File::open(path).map_err(during(format!("opening {}", path.display())))?),
            (None, None) => Box::new(io::empty()),
        };
        let town = open(common).await?;
        let divisions = divisions::read(source, |code| matches!(town.division(code), Ok(Some(_))))?;
        writeln!(out, "read · 已读取: {}", by_level(&divisions)).and_then(|()| out.flush()).map_err(written())?;
        let known = known(&town, &divisions)?;
        let new = divisions.iter().filter(|division| !known.contains_key(&division.code)).count();
        let renamed = divisions.iter().filter(|division| known.get(&division.code).is_some_and(|name| *name != division.name)).count();
        let unchanged = divisions.len() - new - renamed;
        town.import_divisions(divisions).await?;
        writeln!(out, "imported · 已导入: {new} new, {renamed} renamed, {unchanged} unchanged").map_err(written())
    }
}

/// What the server knows already below the file's highest divisions.
fn known(town: &Town, divisions: &[Division]) -> Result<HashMap<AreaCode, String>, Failure> {
    let highest = divisions.iter().map(|division| division.code.level()).min();
    let mut known = HashMap::new();
    for top in divisions.iter().filter(|division| Some(division.code.level()) == highest) {
        known.extend(town.divisions(top.code)?);
    }
    Ok(known)
}

fn by_level(divisions: &[Division]) -> String {
    let levels = [Level::Province, Level::City, Level::County, Level::Town, Level::Village];
    let counts = levels.into_iter().filter_map(|level| {
        let count = divisions.iter().filter(|division| division.code.level() == level).count();
        Some(format!("{} {count}", divisions::level_name(level)?)).filter(|_| count > 0)
    });
    counts.collect::<Vec<_>>().join(", ")
}
