//! The console's own words, in Chinese and English. What codes are called is in `fieldgrid_core::domain::words`.

use fieldgrid_core::domain::action::Severity;
use fieldgrid_core::domain::case::State;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::words;

macro_rules! labels {
    ($($name:ident: $zh:literal, $en:literal;)*) => {
        /// The labels of one language.
        #[derive(Debug)]
        pub struct Labels {
            /// `zh-CN` or `en`.
            pub html_lang: &'static str,
            $(
                #[doc = $en]
                pub $name: &'static str,
            )*
        }

        /// 中文.
        pub static ZH: Labels = Labels { html_lang: "zh-CN", $($name: $zh,)* };
        /// English.
        pub static EN: Labels = Labels { html_lang: "en", $($name: $en,)* };
    };
}

labels! {
    console: "综治中心工作台", "Fieldgrid console";
    centre: "综治中心", "town centre";
    skip: "跳到正文", "Skip to content";
    settings: "设置", "Settings";
    live: "实时", "live";
    other_lang: "en", "zh";
    other_name: "English", "中文";
    footer: "案件状态由各方动作推算，从不单独存储；手机未联系时，其未上传数以最近一次上报为准。", "A case's state is folded from actions and never stored; a phone's unsent count is what it last said.";
    two_copies: "本服务器的密钥签署过这里没有的内容：可能有数据目录的副本未经 restore 就启动了，或密钥被盗。请停止其他副本，先 backup 本目录，再 restore 到空目录（见 docs/operations.md）。", "This server's key signed entries that are not here: a copy of the data folder was started without restore, or the key was stolen. Stop every other copy; then backup this folder and restore the backup into an empty one (docs/operations.md).";
    by_state: "案件状态", "Cases by state";
    open_cases: "未结", "open";
    cases: "案件", "Cases";
    no_cases: "这里还没有案件。", "No cases here yet.";
    case: "案件", "Case";
    where_: "地点", "Where";
    state_word: "状态", "State";
    updated: "最近动态", "Last event";
    to_decide: "待裁决", "to decide";
    arrivals: "到达记录", "Arrivals";
    entries: "条", "entries";
    no_arrivals: "还没有数据到达。", "Nothing has arrived yet.";
    phones: "手机", "Phones";
    person: "人员", "Person";
    role: "角色", "Role";
    area: "区域", "Area";
    signal: "联络", "Contact";
    last_heard: "最近联系", "Last heard";
    unsent: "未上传", "Unsent";
    received: "已收到", "Received";
    refused: "被拒", "Refused";
    no_towns: "还没有镇街：先导入区划并建立网格。", "No town yet: import the divisions and create grids.";
    back: "返回", "Back";
    facts: "案件信息", "Facts";
    history: "办理过程", "History";
    no_effect: "未生效", "no effect";
    key: "工作台口令", "Console key";
    key_wrong: "口令不正确，请向管理员核对。", "That is not the key. Ask whoever runs the server.";
    key_too_often: "尝试次数过多，请一分钟后再试。", "Too many tries. Wait a minute.";
    enter: "进入", "Enter";
    number: "案卷号", "Number";
    category: "类别", "Category";
    severity_word: "紧急程度", "Severity";
    text: "内容", "Text";
    address: "地址", "Address";
    grid: "网格", "Grid";
    reply: "答复", "Reply";
    due: "限期", "Due";
    reported_change: "案件动作", "case action";
    household_change: "住户信息", "household edit";
    visit: "走访", "visit";
    fact: "记录", "record";
    accepted: "已收到", "received";
    online: "在线", "in contact";
    quiet: "失联", "silent";
    revoked: "已吊销", "revoked";
    now: "刚刚", "just now";
}

impl Labels {
    /// The labels for a language tag.
    #[must_use]
    pub fn of(lang: &str) -> &'static Self {
        if lang.starts_with("en") { &EN } else { &ZH }
    }

    /// What a state is called.
    #[must_use]
    pub fn state(&self, state: impl std::borrow::Borrow<State>) -> &'static str {
        words::state(*state.borrow()).get(self.html_lang)
    }

    /// What a role is called.
    #[must_use]
    pub fn role_name(&self, role: impl std::borrow::Borrow<Role>) -> &'static str {
        words::role(*role.borrow()).get(self.html_lang)
    }

    /// What a severity is called.
    #[must_use]
    pub fn severity(&self, severity: impl std::borrow::Borrow<Severity>) -> &'static str {
        words::severity(*severity.borrow()).get(self.html_lang)
    }

    /// How long ago, in words short enough for a column.
    #[must_use]
    pub fn ago(&self, now_ms: i64, then_ms: i64) -> String {
        let zh = self.html_lang == "zh-CN";
        // What an action says of its time is its author's word, to the ends of the type.
        let seconds = now_ms.saturating_sub(then_ms).max(0) / 1000;
        let (n, zh_unit, en_unit) = match seconds {
            0..=4 => return self.now.to_owned(),
            5..=89 => (seconds, "秒前", "s ago"),
            90..=5399 => (seconds / 60, "分钟前", "min ago"),
            5400..=129_599 => (seconds / 3600, "小时前", "h ago"),
            _ => (seconds / 86_400, "天前", "d ago"),
        };
        if zh { format!("{n} {zh_unit}") } else { format!("{n} {en_unit}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_time_that_an_author_names_can_be_shown() {
        let now_ms = 1_790_000_000_000;
        let ago = |then_ms| Labels::of("en").ago(now_ms, then_ms);
        assert_eq!(ago(now_ms - 120_000), "2 min ago");
        assert_eq!(ago(i64::MAX), Labels::of("en").now);
        assert_eq!(ago(i64::MIN), "106751991167 d ago");
    }
}
