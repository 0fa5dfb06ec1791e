//! Masks: what those see who may look and not hold (`domain.md` §4.3).

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::area::AreaCode;
use super::case::{Case, State};
use super::code::codes;
use super::household::{self, Household};
use super::id::DocId;

codes! {
    /// Which fields a view shows, and how. Few classes, each a whitelist.
    pub enum MaskClass {
        /// A town desk: where the household is, as far as the building; how many live there; names and phones masked, care needs as a count.
        Desk = 1 "desk",
        /// A department with an assigned case: the place only.
        Place = 2 "place",
    }
}

/// A household as a masked row. Derived by the server, replaced whole; holds nothing that the class does not show.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
pub struct HouseholdView {
    /// The household.
    #[n(0)]
    pub household: DocId,
    /// The mask.
    #[n(1)]
    pub class: MaskClass,
    /// Its grid.
    #[n(2)]
    pub grid: Option<AreaCode>,
    /// Address, cut to what the class may see.
    #[n(3)]
    pub address: Option<String>,
    /// Head or contact, masked: 张*.
    #[n(4)]
    pub name: Option<String>,
    /// Phone, masked: 138****8000.
    #[n(5)]
    pub phone: Option<String>,
    /// How many persons live there.
    #[n(6)]
    pub persons: u32,
    /// How many of them have care tags.
    #[n(7)]
    pub care: u32,
}

/// Where a case stands, for its reporter when he does not hold the case: a view, replaced whole (`domain.md` §9: the 「收到」 that riders value).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
pub struct CaseProgress {
    /// The case.
    #[n(0)]
    pub case: DocId,
    /// Where it stands.
    #[n(1)]
    pub state: State,
    /// The case number, once accepted.
    #[n(2)]
    pub number: Option<String>,
    /// The reply to the reporter.
    #[n(3)]
    pub reply: Option<String>,
    /// When the server last had news of it, milliseconds since 1970.
    #[n(4)]
    pub updated_ms: i64,
}

impl CaseProgress {
    /// What the reporter may know of a case.
    #[must_use]
    pub fn of(id: DocId, case: &Case, number: Option<&str>, updated_ms: i64) -> Self {
        Self { case: id, state: case.state, number: number.map(str::to_owned), reply: case.reply.clone(), updated_ms }
    }
}

/// The masked view of a household.
#[must_use]
pub fn household(id: DocId, household: &Household, grid: Option<AreaCode>, class: MaskClass) -> HouseholdView {
    let place = HouseholdView { household: id, class, grid, address: place(household), name: None, phone: None, persons: 0, care: 0 };
    match class {
        MaskClass::Desk => HouseholdView {
            name: household.head_name().map(name),
            phone: household.head_phone().map(phone).filter(|masked| !masked.is_empty()),
            persons: count(household.living().count()),
            care: count(household.living().filter(|(_, person)| household::needs_care(person)).count()),
            ..place
        },
        _ => place,
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The address as far as the building.
fn place(household: &Household) -> Option<String> {
    let mut place = household.text("address").map(address).unwrap_or_default();
    if let Some(building) = household.text("building").map(address)
        && !place.ends_with(&building)
    {
        place.push_str(&building);
    }
    (!place.is_empty()).then_some(place)
}

/// Two-character surnames in common use.
const COMPOUND_SURNAMES: &[&str] =
    &["欧阳", "司马", "上官", "诸葛", "夏侯", "皇甫", "尉迟", "公孙", "慕容", "司徒", "令狐", "东方", "南宫", "长孙", "宇文", "轩辕"];

/// 张三 → 张*, 欧阳娜娜 → 欧阳**. A single character shows nothing.
#[must_use]
pub fn name(name: &str) -> String {
    let chars: Vec<char> = name.trim().chars().collect();
    let compound = chars.len() > 2 && COMPOUND_SURNAMES.iter().any(|surname| surname.chars().eq(chars[..2].iter().copied()));
    let shown = if compound { 2 } else { usize::from(chars.len() > 1) };
    chars.iter().take(shown).copied().chain(chars.iter().skip(shown).map(|_| '*')).collect()
}

/// 13812348000 → 138****8000; of a landline the area code and nothing else; of several numbers the first.
#[must_use]
pub fn phone(phone: &str) -> String {
    let first = phone.split(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '+' | ' '))).find(|part| part.bytes().any(|b| b.is_ascii_digit()));
    let digits: String = first.unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    match digits.len() {
        0 => String::new(),
        11 if digits.starts_with('1') => format!("{}****{}", &digits[..3], &digits[7..]),
        10..=12 if digits.starts_with('0') => format!("{}****", &digits[..4]),
        _ => "****".to_owned(),
    }
}

/// 610702198001010017 → 610702********0017; what is too short to be an identity number shows nothing.
#[must_use]
pub fn id_no(id_no: &str) -> String {
    let chars: Vec<char> = id_no.trim().chars().collect();
    let (front, back) = if chars.len() >= 15 { (6, 4) } else { (0, 0) };
    chars.iter().enumerate().map(|(i, c)| if i < front || i + back >= chars.len() { *c } else { '*' }).collect()
}

/// Words after which an address names the inside of a building.
const INSIDE: &[&str] = &["单元", "层", "楼道", "室", "房"];
/// Words that end the name of a building.
const BUILDING: &[&str] = &["号楼", "栋", "幢", "座"];

/// An address as far as the building: 东大街12号3号楼2单元501室 → 东大街12号3号楼.
#[must_use]
pub fn address(address: &str) -> String {
    let address = address.trim();
    if let Some(end) = BUILDING.iter().filter_map(|word| address.find(word).map(|at| at + word.len())).min() {
        return address[..end].to_owned();
    }
    let Some(inside) = INSIDE.iter().filter_map(|word| address.find(word)).min() else { return address.to_owned() };
    let outside = address[..inside].trim_end_matches(|c: char| c.is_ascii_alphanumeric() || "一二三四五六七八九十甲乙丙丁-–".contains(c));
    outside.to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::household::Value;
    use crate::domain::id::PersonId;

    #[test]
    fn names_phones_and_numbers_are_masked() {
        for (full, masked) in [("张三", "张*"), ("欧阳娜娜", "欧阳**"), ("欧阳", "欧*"), ("张", "*"), (" 李小明 ", "李**"), ("", "")] {
            assert_eq!(name(full), masked);
        }
        for (full, masked) in [
            ("13812348000", "138****8000"),
            ("138-1234-8000", "138****8000"),
            ("0916-2212345", "0916****"),
            ("2212345", "****"),
            ("13812348000/13900000000", "138****8000"),
            ("无", ""),
        ] {
            assert_eq!(phone(full), masked, "{full}");
        }
        for (full, masked) in [("610702198001010017", "610702********0017"), ("610702800101001", "610702*****1001"), ("E12345678", "*********")] {
            assert_eq!(id_no(full), masked);
        }
        for (full, shown) in [
            ("东大街12号3号楼2单元501室", "东大街12号3号楼"),
            ("人民路5号2单元3层", "人民路5号"),
            ("华阳村三组18号", "华阳村三组18号"),
            ("劳动路8号501室", "劳动路8号"),
        ] {
            assert_eq!(address(full), shown);
        }
    }

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    proptest! {
        #[test]
        fn a_view_never_holds_what_it_masks(
            given in "[赵钱孙李欧阳]{1,2}[伟芳娜秀英敏]{1,3}", number in "1[3-9][0-9]{9}", id_number in "[0-9]{17}[0-9X]", care in "[病残独居老人]{2,6}", room in "[1-9]0[1-9]室",
        ) {
            let person = [("name", &given), ("phone", &number), ("id_no", &id_number), ("care", &care), ("note", &care)];
            let mut fields: BTreeMap<String, Value> = person.into_iter().map(|(field, value)| (field.to_owned(), text(value))).collect();
            fields.insert("relation".to_owned(), text("户主"));
            fields.insert(format!("tag.{care}"), Value::Bool(true));
            let household = Household {
                fields: [("contact", &given), ("phone", &number), ("note", &care), ("room", &room)].into_iter().map(|(field, value)| (field.to_owned(), text(value)))
                    .chain([("address".to_owned(), text(&format!("东大街12号{room}"))), ("building".to_owned(), text("3幢"))]).collect(),
                persons: [(PersonId::from_bytes([1; 16]), fields)].into(),
                ..Household::default()
            };
            for class in [MaskClass::Desk, MaskClass::Place, MaskClass::Other(9)] {
                let view = super::household(DocId::from_bytes([2; 16]), &household, None, class);
                let words = [&view.address, &view.name, &view.phone].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
                for secret in [&given, &number, &id_number, &care, &room] {
                    prop_assert!(!words.contains(secret.as_str()), "{words} holds {secret}");
                }
                prop_assert_eq!(view.care, u32::from(class == MaskClass::Desk));
                prop_assert!(class == MaskClass::Desk || (view.name.is_none() && view.phone.is_none() && view.persons == 0));
            }
        }
    }
}
