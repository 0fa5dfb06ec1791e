//! The tree of divisions as a CSV file: `code,level,name`, UTF-8. Read whole and checked before anything is stored.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use csv::StringRecord;
use fieldgrid_core::domain::area::{AreaCode, Level};

/// The public division tree of Hanzhong (NBS codes): 1 city, 11 counties, 177 towns, 2,187 villages.
pub const HANZHONG: &str = include_str!("../data/hanzhong-divisions.csv");

/// A division as the file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    /// Its code; the parent is the code's prefix.
    pub code: AreaCode,
    /// Its official name.
    pub name: String,
}

/// Characters in a name; the longest in Hanzhong has 15.
const MAX_NAME: usize = 64;
/// So many mistakes are named; a file in the wrong format has one on every line.
const MAX_MISTAKES: usize = 20;

/// What is wrong with a file, line by line.
#[derive(Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes {
    /// Line, from 1 (the header), and what is wrong there.
    pub lines: Vec<(u64, String)>,
    /// How many more there are.
    pub more: usize,
}

impl Mistakes {
    fn add(&mut self, line: u64, mistake: impl Into<String>) {
        if self.lines.len() < MAX_MISTAKES {
            self.lines.push((line, mistake.into()));
        } else {
            self.more += 1;
        }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was imported")?;
        self.lines.iter().try_for_each(|(line, mistake)| write!(f, "\n  line {line}: {mistake}"))?;
        if self.more > 0 {
            write!(f, "\n  and {} more", self.more)?;
        }
        Ok(())
    }
}

/// Reads a file. Rows may come in any order. Every division needs its parent, in the file or `known` to the server; only those of the
/// file's highest level stand without one.
///
/// # Errors
/// Every line that is wrong.
pub fn read(file: impl Read, known: impl Fn(AreaCode) -> bool) -> Result<Vec<Division>, Mistakes> {
    let mut mistakes = Mistakes::default();
    let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let Some(columns) = csv.headers().ok().and_then(columns) else {
        mistakes.add(1, "the first line has to be code,level,name, and the file UTF-8 (from Excel: save as \"CSV UTF-8\")");
        return Err(mistakes);
    };
    let mut rows = BTreeMap::new();
    for record in csv.records() {
        match record {
            Err(error) => mistakes.add(error.position().map_or(0, csv::Position::line), unreadable(error.kind())),
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                match division(&record, columns) {
                    Err(mistake) => mistakes.add(line, mistake),
                    Ok(Division { code, name }) => {
                        if let Some((earlier, _)) = rows.insert(code, (line, name)) {
                            mistakes.add(line, format!("{code} is already on line {earlier}"));
                        }
                    }
                }
            }
        }
    }
    let highest = rows.keys().map(|code| code.level()).min();
    for (code, (line, _)) in &rows {
        let Some(parent) = code.parent().filter(|_| Some(code.level()) != highest) else { continue };
        if !rows.contains_key(&parent) && !known(parent) {
            mistakes.add(*line, format!("{code} lies in {parent}, which is neither in the file nor known"));
        }
    }
    mistakes.lines.sort();
    if mistakes.lines.is_empty() { Ok(rows.into_iter().map(|(code, (_, name))| Division { code, name }).collect()) } else { Err(mistakes) }
}

fn columns(header: &StringRecord) -> Option<[usize; 3]> {
    let column = |wanted| header.iter().position(|name| name == wanted);
    Some([column("code")?, column("level")?, column("name")?])
}

fn division(record: &StringRecord, [code, level, name]: [usize; 3]) -> Result<Division, String> {
    let field = |column: usize| record.get(column).unwrap_or_default();
    let (code, level, name) = (field(code), field(level), field(name));
    let code: AreaCode = code.parse().map_err(|error| format!("{code:?} is {error}"))?;
    let by_digits = level_name(code.level()).ok_or_else(|| format!("{code} is a grid: grids are made with `grids create`"))?;
    if level != by_digits {
        return Err(format!("{code} has the digits of a {by_digits}, and the level says {level:?}"));
    }
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(format!("{code} needs a name of 1 to {MAX_NAME} characters"));
    }
    Ok(Division { code, name: name.to_owned() })
}

/// The level's name in the file; a grid is no division.
#[must_use]
pub const fn level_name(level: Level) -> Option<&'static str> {
    match level {
        Level::Province => Some("province"),
        Level::City => Some("city"),
        Level::County => Some("county"),
        Level::Town => Some("town"),
        Level::Village => Some("village"),
        Level::Grid => None,
    }
}

fn unreadable(kind: &csv::ErrorKind) -> String {
    match kind {
        csv::ErrorKind::Utf8 { .. } => "not UTF-8 (from Excel: save as \"CSV UTF-8\")".to_owned(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => format!("{len} fields where the first line has {expected_len}"),
        csv::ErrorKind::Io(error) => format!("cannot be read: {error}"),
        _ => "not CSV".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(file: &str) -> Vec<(u64, String)> {
        read(file.as_bytes(), |_| false).unwrap_err().lines
    }

    #[test]
    fn the_tree_of_hanzhong_is_whole() {
        let divisions = read(HANZHONG.as_bytes(), |_| false).unwrap();
        let count = |level| divisions.iter().filter(|division| division.code.level() == level).count();
        assert_eq!([Level::City, Level::County, Level::Town, Level::Village].map(count), [1, 11, 177, 2187]);
        assert!(divisions.contains(&Division { code: "610702001".parse().unwrap(), name: "北关街道".into() }));
    }

    #[test]
    fn order_and_a_byte_order_mark_do_not_matter() {
        let divisions = read("\u{feff}name,code,level\n 汉台区 , 610702 ,county\n汉中市,6107,city\n".as_bytes(), |_| false).unwrap();
        assert_eq!(divisions.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["汉中市", "汉台区"]);
    }

    #[test]
    fn every_mistake_is_named_with_its_line() {
        let file = "code,level,name\n6107,city,汉中市\n610702,town,汉台区\n61x,city,无\n610702001001,village,人民路居委会\n6107,city,汉中\n610703,county,\n610704,county,a,b\n";
        assert_eq!(
            mistakes(file),
            [
                (3, "610702 has the digits of a county, and the level says \"town\"".to_owned()),
                (4, "\"61x\" is not a division or grid code of 2, 4, 6, 9, 12 or 15 digits".to_owned()),
                (5, "610702001001 lies in 610702001, which is neither in the file nor known".to_owned()),
                (6, "6107 is already on line 2".to_owned()),
                (7, "610703 needs a name of 1 to 64 characters".to_owned()),
                (8, "4 fields where the first line has 3".to_owned()),
            ]
        );
    }

    #[test]
    fn a_parent_that_the_server_knows_is_enough() {
        let file = "code,level,name\n610702001,town,北关街道\n610703001001,village,中心\n";
        assert_eq!(mistakes(file).len(), 1);
        let known: AreaCode = "610703001".parse().unwrap();
        assert_eq!(read(file.as_bytes(), |code| code == known).unwrap().len(), 2);
    }

    #[test]
    fn a_file_of_another_encoding_says_how_to_save_it() {
        let gbk = b"code,level,name\n6107,city,\xba\xba\xd6\xd0\xca\xd0\n";
        assert_eq!(read(gbk.as_slice(), |_| false).unwrap_err().lines, [(2, "not UTF-8 (from Excel: save as \"CSV UTF-8\")".to_owned())]);
        assert_eq!(mistakes("code;level;name\n")[0].0, 1);
        let many: String = (0..100).map(|_| "x,city,x\n").collect();
        assert_eq!(read(format!("code,level,name\n{many}").as_bytes(), |_| false).unwrap_err().more, 80);
    }
}
