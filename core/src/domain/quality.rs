//! What is odd about a household (`domain.md` §4.4). Warnings only: a field worker may always save.

use serde::{Deserialize, Serialize};

use super::code::codes;
use super::household::{self, Fields, Household};
use super::id::PersonId;
use super::time::Date;
use super::words::Words;

codes! {
    /// What may be wrong.
    pub enum IssueKind {
        /// Nobody is the head.
        NoHead = 1 "no_head",
        /// More than one current head.
        TwoHeads = 2 "two_heads",
        /// The head has moved away or died.
        HeadEnded = 3 "head_ended",
        /// The head is under 18.
        MinorHead = 4 "minor_head",
        /// A person without a name.
        NoName = 5 "no_name",
        /// The birth date is not a date.
        BirthUnreal = 6 "birth_unreal",
        /// The birth date is in the future.
        BirthFuture = 7 "birth_future",
        /// The identity number's check character is wrong, or it has another length.
        IdChecksum = 8 "id_checksum",
        /// The identity number says another birth date.
        IdBirth = 9 "id_birth",
        /// The identity number says the other sex.
        IdSex = 10 "id_sex",
        /// The phone number has an unusual form.
        Phone = 11 "phone",
    }
}

impl IssueKind {
    /// What to tell a person.
    #[must_use]
    pub const fn words(self) -> Words {
        let (zh, en) = match self {
            Self::NoHead => ("没有户主", "no head of household"),
            Self::TwoHeads => ("有多个户主", "more than one head of household"),
            Self::HeadEnded => ("户主已迁出或去世", "the head has moved away or died"),
            Self::MinorHead => ("户主未满18岁", "the head is under 18"),
            Self::NoName => ("缺少姓名", "name missing"),
            Self::BirthUnreal => ("出生日期不存在", "birth date is not a date"),
            Self::BirthFuture => ("出生日期在将来", "birth date is in the future"),
            Self::IdChecksum => ("证件号码校验不通过", "identity number does not check"),
            Self::IdBirth => ("证件号码与出生日期不符", "identity number and birth date differ"),
            Self::IdSex => ("证件号码与性别不符", "identity number and sex differ"),
            Self::Phone => ("电话号码格式异常", "unusual phone number"),
            Self::Other(_) => ("新版内容", "from a newer version"),
        };
        Words { zh, en }
    }
}

/// One thing that may be wrong, and with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Issue {
    /// The person; none for the household itself.
    pub person: Option<PersonId>,
    /// What.
    pub kind: IssueKind,
}

/// A day as documents write it: `1980-01-31` or `19800131`; `None` when there is no such day.
#[must_use]
pub fn day(text: &str) -> Option<Date> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let date = Date { year: digits[..4].parse().ok()?, month: digits[4..6].parse().ok()?, day: digits[6..].parse().ok()? };
    date.days().map(|_| date)
}

/// Whole years from `birth` to `today`.
fn age(birth: Date, today: Date) -> i64 {
    today.year - birth.year - i64::from((today.month, today.day) < (birth.month, birth.day))
}

/// What a valid identity number says (GB 11643).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdNumber {
    /// Digits 7–14.
    pub birth: Date,
    /// The 17th digit is odd.
    pub male: bool,
}

/// Reads an 18-character identity number; `None` when its check character or its date is wrong (GB 11643; ISO 7064 MOD 11-2).
#[must_use]
pub fn id_number(text: &str) -> Option<IdNumber> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECK: &[u8; 11] = b"10X98765432";
    let bytes = text.trim().as_bytes();
    if bytes.len() != 18 || !bytes[..17].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let sum: u32 = bytes.iter().zip(WEIGHTS).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
    if CHECK[(sum % 11) as usize] != bytes[17].to_ascii_uppercase() {
        return None;
    }
    let birth = std::str::from_utf8(&bytes[6..14]).ok().and_then(day)?;
    Some(IdNumber { birth, male: bytes[16] % 2 == 1 })
}

/// Whether a phone number has a usual form: a mobile of 11 digits from 13 to 19 (or 12, the range of test data), or a landline (`domain.md` §2.1).
#[must_use]
pub fn phone_is_usual(phone: &str) -> bool {
    let digits: String = phone.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    match digits.len() {
        11 if digits.starts_with('1') => digits.as_bytes()[1] >= b'2',
        7 | 8 => !digits.starts_with('0'),
        10..=12 => digits.starts_with('0'),
        _ => false,
    }
}

/// What is odd about a household, as of `today`. `id_no` gives the identity number of a person, where the device holds it: the document names only
/// the fact that has it.
#[must_use]
pub fn quality<'a>(household: &Household, today: Date, id_no: impl Fn(PersonId) -> Option<&'a str>) -> Vec<Issue> {
    let mut issues: Vec<Issue> = head(household, today).into_iter().map(|kind| Issue { person: None, kind }).collect();
    if household.text("phone").is_some_and(|phone| !phone_is_usual(phone)) {
        issues.push(Issue { person: None, kind: IssueKind::Phone });
    }
    for (id, person) in household.living() {
        issues.extend(of_person(person, today, id_no(id)).into_iter().map(|kind| Issue { person: Some(id), kind }));
    }
    issues
}

fn head(household: &Household, today: Date) -> Vec<IssueKind> {
    let mut issues = Vec::new();
    let Some((_, head)) = household.head() else { return vec![IssueKind::NoHead] };
    if household.living().filter(|(_, person)| household::is_head(person)).count() > 1 {
        issues.push(IssueKind::TwoHeads);
    }
    if household::text(head, "ended").is_some() {
        issues.push(IssueKind::HeadEnded);
    }
    if birth(head).is_some_and(|birth| birth <= today && age(birth, today) < 18) {
        issues.push(IssueKind::MinorHead);
    }
    issues
}

fn birth(person: &Fields) -> Option<Date> {
    household::text(person, "birth").and_then(day)
}

fn of_person(person: &Fields, today: Date, id_no: Option<&str>) -> Vec<IssueKind> {
    let mut issues = Vec::new();
    let said = |field| household::text(person, field).map(str::trim).filter(|text| !text.is_empty());
    if said("name").is_none() {
        issues.push(IssueKind::NoName);
    }
    match (said("birth"), birth(person)) {
        (Some(_), None) => issues.push(IssueKind::BirthUnreal),
        (_, Some(birth)) if birth > today => issues.push(IssueKind::BirthFuture),
        _ => {}
    }
    if said("phone").is_some_and(|phone| !phone_is_usual(phone)) {
        issues.push(IssueKind::Phone);
    }
    // 111 is the resident identity card, and the default; other kinds have other forms.
    if let Some(number) = id_no.filter(|_| said("id_kind").is_none_or(|kind| kind == "111")) {
        match id_number(number) {
            None => issues.push(IssueKind::IdChecksum),
            Some(number) => {
                if birth(person).is_some_and(|birth| birth != number.birth) {
                    issues.push(IssueKind::IdBirth);
                }
                let male = said("sex").and_then(|sex| match sex {
                    "1" | "男" => Some(true),
                    "2" | "女" => Some(false),
                    _ => None,
                });
                if male.is_some_and(|male| male != number.male) {
                    issues.push(IssueKind::IdSex);
                }
            }
        }
    }
    issues
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::household::Value;

    const TODAY: Date = Date { year: 2026, month: 1, day: 15 };

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::Text((*value).to_owned()))).collect()
    }

    fn id(n: u8) -> PersonId {
        PersonId::from_bytes([n; 16])
    }

    fn kinds(household: &Household, id_no: Option<&str>) -> Vec<IssueKind> {
        quality(household, TODAY, |_| id_no).into_iter().map(|issue| issue.kind).collect()
    }

    #[test]
    fn identity_numbers_check() {
        for (number, male) in [("610799198001010017", true), ("610799194509300025", false), ("610799201506010033", true), ("61079919720615006x", false)] {
            assert_eq!(id_number(number).map(|number| number.male), Some(male), "{number}");
        }
        for wrong in ["610799198001010016", "61079919800101001", "", "61079919801301001X", "六一〇七九九"] {
            assert_eq!(id_number(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn days_are_real() {
        assert!(day("2024-02-29").is_some());
        assert!(day("2023-02-29").is_none());
        assert!(day("1900-02-29").is_none());
        assert!(day("2023-13-01").is_none());
        assert_eq!(day("1980-01-16").map(|birth| age(birth, TODAY)), Some(45));
    }

    #[test]
    fn a_sound_household_has_no_issue() {
        let head = fields(&[("name", "张三"), ("sex", "1"), ("birth", "1980-01-01"), ("phone", "13812348000"), ("relation", "户主")]);
        let household = Household { persons: [(id(1), head)].into(), ..Household::default() };
        assert_eq!(kinds(&household, Some("610799198001010017")), []);
    }

    #[test]
    fn each_oddity_is_named() {
        assert_eq!(kinds(&Household::default(), None), [IssueKind::NoHead]);
        let odd = fields(&[("relation", "02"), ("birth", "2030-01-01"), ("phone", "12345"), ("sex", "女")]);
        let child = fields(&[("name", "李四"), ("relation", "户主"), ("birth", "2015-99-01")]);
        let household = Household { persons: [(id(1), odd), (id(2), child)].into(), ..Household::default() };
        let found = kinds(&household, Some("610799198001010017"));
        use IssueKind::{BirthFuture, BirthUnreal, IdBirth, IdSex, NoName, Phone, TwoHeads};
        assert_eq!(found, [TwoHeads, NoName, BirthFuture, Phone, IdBirth, IdSex, BirthUnreal]);
        let minor =
            Household { persons: [(id(1), fields(&[("name", "王五"), ("relation", "户主"), ("birth", "2015-06-01")]))].into(), ..Household::default() };
        assert_eq!(kinds(&minor, Some("610799201506010034")), [IssueKind::MinorHead, IssueKind::IdChecksum]);
    }
}
