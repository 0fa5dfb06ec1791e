//! Categories of cases: ten majors of six minors (`domain.md` §7).

use super::action::Severity::{self, Emergency, Normal, Urgent};
use super::words::Words;

/// A major category.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Major {
    /// Two digits.
    pub code: &'static str,
    /// What it is called.
    pub words: Words,
}

/// A minor category and its defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minor {
    /// Four digits; the first two are the major's.
    pub code: &'static str,
    /// What it is called.
    pub words: Words,
    /// How bad it is by default.
    pub severity: Severity,
    /// The handling limit L1–L4 of §3.4; none where the severity sets it.
    pub limit: Option<u8>,
    /// Whether a photo is required.
    pub photo: bool,
    /// Whether riders report it.
    pub rider: bool,
    /// Whether it is usually a case for a whistle.
    pub whistle: bool,
}

const fn major(code: &'static str, zh: &'static str, en: &'static str) -> Major {
    Major { code, words: Words { zh, en } }
}

/// `marks` as in the table: P photo required, R riders report it, W usual whistle.
const fn minor(code: &'static str, zh: &'static str, en: &'static str, severity: Severity, limit: u8, marks: &str) -> Minor {
    let limit = if limit == 0 { None } else { Some(limit) };
    Minor { code, words: Words { zh, en }, severity, limit, photo: has(marks, b'P'), rider: has(marks, b'R'), whistle: has(marks, b'W') }
}

const fn has(marks: &str, mark: u8) -> bool {
    let mut at = 0;
    while at < marks.len() {
        if marks.as_bytes()[at] == mark {
            return true;
        }
        at += 1;
    }
    false
}

/// The majors, by code.
#[rustfmt::skip]
pub const MAJORS: &[Major] = &[
    major("01", "市容环境", "City appearance"),
    major("02", "市政设施", "Public facilities"),
    major("03", "消防安全", "Fire safety"),
    major("04", "安全生产", "Work safety"),
    major("05", "地灾防汛", "Landslides and floods"),
    major("06", "矛盾纠纷", "Disputes"),
    major("07", "治安秩序", "Public order"),
    major("08", "民生服务", "Services"),
    major("09", "生态扬尘", "Environment and dust"),
    major("10", "公共卫生其他", "Public health and other"),
];

/// The minors, by code.
#[rustfmt::skip]
pub const MINORS: &[Minor] = &[
    minor("0101", "暴露垃圾", "Exposed rubbish", Normal, 1, "PR"),
    minor("0102", "积存渣土", "Piled-up spoil", Normal, 2, "PR"),
    minor("0103", "道路不洁", "Dirty road", Normal, 1, "PR"),
    minor("0104", "水域漂浮物", "Floating debris", Normal, 2, "PR"),
    minor("0105", "私搭乱建", "Unauthorised building", Normal, 4, "PW"),
    minor("0106", "焚烧秸秆垃圾", "Burning straw or rubbish", Urgent, 0, "PR"),
    minor("0201", "井盖缺失破损", "Missing or broken manhole cover", Urgent, 0, "PR"),
    minor("0202", "路面坑洼塌陷", "Potholes or subsidence", Normal, 2, "PR"),
    minor("0203", "路灯不亮", "Street lamp out", Normal, 2, "R"),
    minor("0204", "护栏标牌损坏", "Damaged railing or sign", Normal, 2, "PR"),
    minor("0205", "供水管道漏水", "Water main leak", Urgent, 0, "PR"),
    minor("0206", "排水不畅内涝", "Blocked drain or flooding", Urgent, 0, "PR"),
    minor("0301", "消防通道堵塞", "Blocked fire lane", Urgent, 0, "PRW"),
    minor("0302", "楼道堆物", "Stairwell clutter", Normal, 2, "P"),
    minor("0303", "飞线充电", "Charging by loose cable", Normal, 1, "PR"),
    minor("0304", "电动车进楼", "E-bike indoors", Normal, 1, "PR"),
    minor("0305", "消防设施损坏", "Damaged fire equipment", Normal, 2, "P"),
    minor("0306", "燃气泄漏隐患", "Suspected gas leak", Emergency, 0, "R"),
    minor("0401", "工地隐患", "Building-site hazard", Normal, 2, "P"),
    minor("0402", "危房老旧房", "Dangerous old building", Normal, 3, "P"),
    minor("0403", "小作坊隐患", "Workshop hazard", Normal, 3, "PW"),
    minor("0404", "电线私拉", "Illegal wiring", Normal, 2, "PR"),
    minor("0405", "烟花爆竹", "Fireworks", Urgent, 0, "W"),
    minor("0406", "校园周边隐患", "Hazard near a school", Normal, 2, "P"),
    minor("0501", "滑坡崩塌迹象", "Signs of a landslide", Emergency, 0, "PR"),
    minor("0502", "河道涨水漫桥", "River over a bridge", Emergency, 0, "PR"),
    minor("0503", "山洪预警转移", "Flash-flood evacuation", Emergency, 0, ""),
    minor("0504", "水库塘坝渗漏", "Leaking dam or pond", Emergency, 0, "P"),
    minor("0505", "道路阻断", "Blocked road", Urgent, 0, "PR"),
    minor("0506", "通信电力中断", "Power or signal cut", Urgent, 0, "R"),
    minor("0601", "邻里", "Neighbours", Normal, 3, ""),
    minor("0602", "婚恋家庭", "Family", Normal, 3, ""),
    minor("0603", "物业", "Property management", Normal, 3, ""),
    minor("0604", "劳动欠薪", "Unpaid wages", Normal, 4, "W"),
    minor("0605", "土地山林权属", "Land and forest rights", Normal, 4, ""),
    minor("0606", "拆迁征地", "Demolition and expropriation", Normal, 4, ""),
    minor("0701", "可疑人员", "Suspicious person", Urgent, 0, "R"),
    minor("0702", "电信诈骗", "Telephone fraud", Urgent, 0, ""),
    minor("0703", "噪音扰民", "Noise", Normal, 1, ""),
    minor("0704", "占道经营", "Street vending", Normal, 1, "PR"),
    minor("0705", "乱停车", "Bad parking", Normal, 1, "PR"),
    minor("0706", "犬只扰民", "Dogs", Normal, 1, "R"),
    minor("0801", "低保救助申请", "Subsistence allowance", Normal, 3, ""),
    minor("0802", "残疾人服务", "Disability services", Normal, 3, ""),
    minor("0803", "老人紧急求助", "Elder in need", Emergency, 0, "R"),
    minor("0804", "证件代办", "Documents on behalf", Normal, 2, ""),
    minor("0805", "社保医保咨询", "Social insurance advice", Normal, 2, ""),
    minor("0806", "停水停电停气", "Utilities cut off", Urgent, 0, "R"),
    minor("0901", "工地扬尘", "Site dust", Normal, 1, "PR"),
    minor("0902", "黑臭水体", "Foul water", Normal, 3, "P"),
    minor("0903", "偷倒污水", "Illegal sewage", Urgent, 0, "PRW"),
    minor("0904", "油烟扰民", "Cooking fumes", Normal, 2, "W"),
    minor("0905", "盗采砂石", "Illegal quarrying", Urgent, 0, "PRW"),
    minor("0906", "野外用火", "Open fire outdoors", Emergency, 0, "PR"),
    minor("1001", "聚集性发热", "Cluster of fevers", Urgent, 0, ""),
    minor("1002", "食品安全", "Food safety", Normal, 2, "PRW"),
    minor("1003", "动物疫病", "Animal disease", Urgent, 0, ""),
    minor("1004", "返乡人员登记", "Returnee registration", Normal, 2, ""),
    minor("1005", "政策宣传", "Policy information", Normal, 1, ""),
    minor("1099", "其他", "Other", Normal, 0, "R"),
];

/// A minor category.
#[must_use]
pub fn find(code: &str) -> Option<&'static Minor> {
    MINORS.binary_search_by_key(&code, |minor| minor.code).ok().map(|at| &MINORS[at])
}

/// What a category code of two or four digits is called; `None` for one that is not in the table.
#[must_use]
pub fn words(code: &str) -> Option<Words> {
    find(code).map(|minor| minor.words).or_else(|| MAJORS.iter().find(|major| major.code == code).map(|major| major.words))
}

/// The minors of a major.
pub fn minors(major: &str) -> impl Iterator<Item = &'static Minor> {
    MINORS.iter().filter(move |minor| minor.code.starts_with(major))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_majors_of_six_in_order() {
        assert!(MINORS.is_sorted_by_key(|minor| minor.code));
        for major in MAJORS {
            assert_eq!(minors(major.code).count(), 6, "{}", major.code);
        }
        let manhole = find("0201").unwrap();
        assert_eq!((manhole.severity, manhole.limit, manhole.photo, manhole.rider, manhole.whistle), (Urgent, None, true, true, false));
        assert_eq!(find("0105").map(|minor| (minor.limit, minor.rider, minor.whistle)), Some((Some(4), false, true)));
        assert_eq!(words("06").map(|words| words.zh), Some("矛盾纠纷"));
        assert_eq!(words("环境卫生"), None);
    }
}
