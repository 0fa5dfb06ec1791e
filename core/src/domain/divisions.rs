//! The tree of divisions in memory: reference data, built from rows of code and name (`domain.md` §2.1).

use std::collections::BTreeMap;

use super::area::{AreaCode, Level};

/// Divisions and grids by code. A code's level and its place in the tree follow from its digits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Divisions {
    names: BTreeMap<AreaCode, String>,
}

impl FromIterator<(AreaCode, String)> for Divisions {
    fn from_iter<I: IntoIterator<Item = (AreaCode, String)>>(rows: I) -> Self {
        Self { names: rows.into_iter().collect() }
    }
}

impl Divisions {
    /// Adds a row, or renames it.
    pub fn insert(&mut self, code: AreaCode, name: String) {
        self.names.insert(code, name);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The name of a division.
    #[must_use]
    pub fn name(&self, code: AreaCode) -> Option<&str> {
        self.names.get(&code).map(String::as_str)
    }

    /// The division and everything in it, in order of code.
    pub fn within(&self, code: AreaCode) -> impl Iterator<Item = (AreaCode, &str)> {
        self.names.range(code..).take_while(move |(at, _)| code.contains(**at)).map(|(at, name)| (*at, name.as_str()))
    }

    /// What lies directly below a division.
    pub fn children(&self, code: AreaCode) -> impl Iterator<Item = (AreaCode, &str)> {
        self.within(code).filter(move |(at, _)| at.parent() == Some(code))
    }

    /// Everything of a level, in order of code.
    pub fn at(&self, level: Level) -> impl Iterator<Item = (AreaCode, &str)> {
        self.names.iter().filter(move |(code, _)| code.level() == level).map(|(code, name)| (*code, name.as_str()))
    }

    /// The names from the top down to this division; levels without a row are left out.
    #[must_use]
    pub fn path(&self, code: AreaCode) -> Vec<&str> {
        let mut path: Vec<&str> = std::iter::successors(Some(code), |at| at.parent()).filter_map(|at| self.name(at)).collect();
        path.reverse();
        path
    }

    /// The town that a village or grid lies in, or the town itself, when the tree has it.
    #[must_use]
    pub fn town_of(&self, code: AreaCode) -> Option<(AreaCode, &str)> {
        let town = code.at(Level::Town)?;
        self.name(town).map(|name| (town, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> AreaCode {
        text.parse().unwrap()
    }

    #[test]
    fn the_tree_follows_from_the_codes() {
        let rows = [
            ("6107", "汉中市"),
            ("610702", "汉台区"),
            ("610702001", "北关街道"),
            ("610702001001", "人民路居委会"),
            ("610702002", "东大街街道"),
            ("610703", "南郑区"),
        ];
        let tree: Divisions = rows.into_iter().rev().map(|(at, name)| (code(at), name.to_owned())).collect();
        let names = |of: &str| tree.children(code(of)).map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(names("6107"), ["汉台区", "南郑区"]);
        assert_eq!(names("610702"), ["北关街道", "东大街街道"]);
        assert_eq!(tree.path(code("610702001001005")), ["汉中市", "汉台区", "北关街道", "人民路居委会"]);
        assert_eq!(tree.town_of(code("610702001001005")), Some((code("610702001"), "北关街道")));
        assert_eq!(tree.town_of(code("610702")), None);
        assert_eq!(tree.within(code("610702")).count(), 4);
        assert_eq!(tree.at(Level::Town).count(), 2);
    }
}
