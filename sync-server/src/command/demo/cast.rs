//! Who plays, where, and what they type: a real town with invented people.
//!
//! Names are common surnames with common given names; phones have the unassigned prefix 12, so that none can be a real
//! person's (`domain.md` §7). Shares and rates follow the census figures there.

use fastrand::Rng;
use fieldgrid_core::domain::action::{Fields as ActionFields, Place, Severity};
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::household::{Fields, Value};

/// Someone with a phone.
#[derive(Debug, Clone)]
pub struct Member {
    /// Display name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Area of the grant.
    pub scope: AreaCode,
}

/// The town, its grids and its people.
#[derive(Debug)]
pub struct Cast {
    /// Grids by code, with their communities' names.
    pub grids: Vec<(AreaCode, String)>,
    /// Everyone with a phone.
    pub members: Vec<Member>,
}

/// The department that cases are dispatched to.
pub const DEPARTMENT: &str = "综合执法办公室";

const SURNAMES: [&str; 20] = ["王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "马", "胡", "郭", "何", "高", "林", "罗", "郑"];
const GIVEN: [&str; 24] = [
    "建国", "秀英", "志强", "桂兰", "伟", "芳", "敏", "军", "丽娟", "文博", "晓燕", "国庆", "雪梅", "浩然", "静", "永红", "玉珍", "海涛", "春花", "立新", "宇",
    "婷", "德才", "佳怡",
];
const ROADS: [&str; 8] = ["天汉大道", "劳动路", "民主街", "人民路", "虎桥路", "兴汉路", "前进路", "西环路"];
const ESTATES: [&str; 6] = ["汉江雅苑", "天汉花园", "北关家属院", "兴元小区", "望江楼", "石马新村"];
/// Household sizes 1–6 in per cent (census 2020, Hanzhong).
const SIZES: [(usize, u8); 6] = [(1, 24), (2, 30), (3, 22), (4, 14), (5, 7), (6, 3)];

/// Something that people report: category, what is wrong, how bad.
const TROUBLES: [(&str, &str, Severity); 14] = [
    ("0101", "垃圾堆放无人清理", Severity::Normal),
    ("0103", "路面油污打滑", Severity::Normal),
    ("0201", "井盖破损", Severity::Urgent),
    ("0202", "路面塌陷", Severity::Normal),
    ("0203", "路灯不亮", Severity::Normal),
    ("0205", "供水管道漏水", Severity::Urgent),
    ("0206", "雨后积水没过脚踝", Severity::Urgent),
    ("0301", "消防通道被三轮车堵住", Severity::Urgent),
    ("0302", "楼道堆放杂物", Severity::Normal),
    ("0303", "飞线充电", Severity::Normal),
    ("0601", "邻里因漏水争吵", Severity::Normal),
    ("0704", "占道经营影响通行", Severity::Normal),
    ("0803", "独居老人两天没有出门", Severity::Emergency),
    ("0901", "工地扬尘没有覆盖", Severity::Normal),
];

impl Cast {
    /// A dozen people in the town's first communities: six grid members (two grids have two each), a community worker, three riders, a dispatcher, a handler.
    #[must_use]
    pub fn new(town: AreaCode, communities: &[(AreaCode, String)], rng: &mut Rng) -> Self {
        let grids: Vec<_> = communities.iter().take(2).flat_map(|(code, name)| (1..=2).filter_map(|serial| Some((code.grid(serial)?, name.clone())))).collect();
        let mut members = Vec::new();
        let mut add = |role, scope, rng: &mut Rng| members.push(Member { name: person_name(rng), role, scope });
        for (index, (grid, _)) in grids.iter().enumerate() {
            add(Role::GridMember, *grid, rng);
            if index < 2 {
                add(Role::GridHead, *grid, rng);
            }
        }
        if let Some((community, _)) = communities.first() {
            add(Role::Community, *community, rng);
        }
        for _ in 0..3 {
            add(Role::Rider, town, rng);
        }
        add(Role::TownDispatcher, town, rng);
        add(Role::Department, town, rng);
        Self { grids, members }
    }
}

/// A common name.
pub fn person_name(rng: &mut Rng) -> String {
    format!("{}{}", SURNAMES[rng.usize(..SURNAMES.len())], GIVEN[rng.usize(..GIVEN.len())])
}

/// A phone number that nobody can have.
pub fn phone_number(rng: &mut Rng) -> String {
    format!("12{:09}", rng.u64(..1_000_000_000))
}

/// What a grid member knows of a household before he knocks.
pub fn household(grid: AreaCode, number: usize, rng: &mut Rng) -> Fields {
    let building = 1 + number / 12;
    let unit = 1 + number / 6 % 2;
    let room = format!("{}0{}", 1 + number / 2 % 6, 1 + number % 2);
    let estate = ESTATES[rng.usize(..ESTATES.len())];
    let address = format!("{}{}号{estate}{building}号楼{unit}单元{room}室", ROADS[rng.usize(..ROADS.len())], 1 + rng.u16(..180));
    fields([
        ("grid", grid.to_string()),
        ("address", address),
        ("building", format!("{building}号楼")),
        ("unit", format!("{unit}单元")),
        ("room", room),
        ("use", if rng.u8(..100) < 22 { "rent" } else { "self" }.to_owned()),
        ("phone", phone_number(rng)),
    ])
}

/// How many people live together.
pub fn household_size(rng: &mut Rng) -> usize {
    let mut roll = rng.u8(..100);
    for (size, share) in SIZES {
        if roll < share {
            return size;
        }
        roll -= share;
    }
    3
}

/// Someone who lives there; the first is the head.
pub fn resident(index: usize, rng: &mut Rng) -> Fields {
    let birth = format!("{}-{:02}-{:02}", 1938 + rng.u16(..85), 1 + rng.u8(..12), 1 + rng.u8(..28));
    let relation = if index == 0 { "02" } else { ["10", "20", "30", "50"][rng.usize(..4)] };
    let mut resident = fields([
        ("name", person_name(rng)),
        ("sex", if rng.u16(..10_000) < 5044 { "1" } else { "2" }.to_owned()),
        ("birth", birth),
        ("relation", relation.to_owned()),
        ("phone", phone_number(rng)),
        ("residence", "常住".to_owned()),
    ]);
    if rng.u8(..100) < 9 {
        let tag = ["独居老人", "高龄", "残疾", "低保", "留守儿童"][rng.usize(..5)];
        resident.insert(format!("tag.{tag}"), Value::Bool(true));
    }
    resident
}

/// Something seen on the way.
pub fn trouble(grid: Option<AreaCode>, rng: &mut Rng) -> ActionFields {
    let (category, symptom, severity) = TROUBLES[rng.usize(..TROUBLES.len())];
    let road = ROADS[rng.usize(..ROADS.len())];
    let spot = format!("{road}{}号", 1 + rng.u16(..180));
    ActionFields {
        title: Some(format!("{spot}{symptom}")),
        text: Some(format!("{spot}附近{symptom}，已有居民反映，请尽快处理。")),
        category: Some(category.to_owned()),
        severity: Some(severity),
        place: Some(Place {
            lat_e6: Some(33_067_500 + rng.i32(-9_000..9_000)),
            lng_e6: Some(107_023_300 + rng.i32(-9_000..9_000)),
            accuracy_m: Some(5 + rng.u32(..30)),
            address: Some(spot),
        }),
        grid,
        ..ActionFields::default()
    }
}

/// A line that somebody adds.
pub fn remark(rng: &mut Rng) -> String {
    let who = ["物业", "居民", "商户", "保洁员", "楼栋长"][rng.usize(..5)];
    let what = ["说昨晚就这样了", "已经自行围挡", "希望今天解决", "愿意配合处理", "反映之前也发生过"][rng.usize(..5)];
    format!("{who}{what}")
}

fn fields<const N: usize>(pairs: [(&str, String); N]) -> Fields {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), Value::Text(value))).collect()
}
