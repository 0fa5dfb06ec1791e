//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use fieldgrid_core::domain::action::{ActionKind, Severity};
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::case::State;
use fieldgrid_core::domain::fact::{RevealReason, VisitKind, VisitResult};
use fieldgrid_core::domain::id::{ActionId, Hash, OrgId, PersonId, UserId};

use crate::time::Moment;

/// 命令行终端：与手机相同的引擎，离线可用。
///
/// The phone one can type at: the same engine, offline first.
#[derive(Debug, Parser)]
#[command(
    name = "fieldgrid",
    version,
    after_help = "例 Examples:
  fieldgrid enrol 'fieldgrid:1?server=https://…&code=…&root=…'
  fieldgrid report --title 井盖破损 --category 0201 --address 天汉大道与劳动西路口
  fieldgrid list --open
  fieldgrid act 3f9a1c accept --category 0201 --severity urgent
  fieldgrid sync
  fieldgrid status --json

记录用编号、案卷号或编号末尾几位指定。
A record is named by its id, its case number, or the last digits of its id.

退出码 Exit codes: 0 完成 done · 1 出错 failed · 2 用法 usage · 3 未入网 not enrolled · 4 未能与中心同步 not synced with the centre ·
5 不允许 not allowed · 6 没有此记录 no such record · 7 数据库打不开 the store does not open"
)]
pub struct Cli {
    /// 本机数据库文件 · The store's file [default: ~/.local/share/fieldgrid/phone.db]
    #[arg(long, global = true, env = "FIELDGRID_STORE", value_name = "PATH")]
    pub store: Option<PathBuf>,
    /// 密钥文件（64 位十六进制）；首次使用时创建 · File with the store's key, 64 hex digits; made on first use (default: the store's path with .key)
    #[arg(long, global = true, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// 私有 CA 证书(PEM) · Certificates of a private CA to trust as well
    #[arg(long, global = true, env = "FIELDGRID_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// 语言 · Language of messages
    #[arg(long, global = true, env = "FIELDGRID_LANG", default_value = "zh")]
    pub lang: Lang,
    /// 输出 JSON，供脚本使用 · Print JSON, for scripts
    #[arg(long, global = true)]
    pub json: bool,
    /// 做什么 · What to do
    #[command(subcommand)]
    pub command: Command,
}

/// A language of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// 中文
    Zh,
    /// English
    En,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// 入网：使用镇街中心发的邀请 · Enrol with the centre's invite
    Enrol(Enrol),
    /// 上报事件 · Report a case
    Report(ActionFields),
    /// 列出事件 · List cases
    List(List),
    /// 查看一条记录（事件或户） · Show a record: a case or a household
    Show(Named),
    /// 对事件做一个动作 · Act on a case: supplement, accept, reject, dispatch, sign, progress, finish, verify_pass, verify_fail, close, withdraw, …
    Act(Act),
    /// 户与人员 · Households and persons
    #[command(subcommand)]
    Household(Household),
    /// 登记走访 · Record a visit to a household
    Visit(Visit),
    /// 全文检索 · Search everything on this phone
    Search(Search),
    /// 立即同步一次 · Sync once, now
    Sync(Sync),
    /// 保持同步，显示变化，直到 Ctrl-C · Keep in sync and show changes until Ctrl-C
    Watch,
    /// 本机状态：未上传、被拒、上次联系 · This phone: unsent, refused, last contact
    Status,
    /// 被中心拒收的内容 · What the centre refused
    #[command(subcommand)]
    Refused(Refused),
    /// 本机上传过的全部内容 · Everything that was typed on this phone, and what became of it
    History(Page),
    /// 导出每条记录为 .automerge 和 .json 文件 · Export every record as an .automerge and a .json file
    Export(Export),
    /// 与另一台手机核对中心说的是否一致 · Compare with another phone what the centre said
    Compare(Compare),
    /// 在终端显示邀请的二维码 · Show an invite as a QR code in the terminal
    InviteQr(InviteQr),
}

/// `compare`.
#[derive(Debug, Args)]
pub struct Compare {
    /// 另一台手机出示的文字；不给则显示本机的 · What the other phone shows; without it, what this phone has to show
    #[arg(value_name = "NOTE")]
    pub note: Option<String>,
}

/// `enrol`.
#[derive(Debug, Args)]
pub struct Enrol {
    /// 邀请文字；不给则从标准输入读取 · The invite; read from standard input when missing
    #[arg(value_name = "INVITE", conflicts_with = "qr_text")]
    pub invite: Option<String>,
    /// 扫描二维码得到的文字 · The text that scanning the QR code gave
    #[arg(long, value_name = "TEXT")]
    pub qr_text: Option<String>,
}

/// What an action says.
#[derive(Debug, Clone, Default, Args)]
pub struct ActionFields {
    /// 标题 · Title
    #[arg(long)]
    pub title: Option<String>,
    /// 内容 · Text
    #[arg(long)]
    pub text: Option<String>,
    /// 类别代码 · Category code, for instance 0201
    #[arg(long)]
    pub category: Option<String>,
    /// 紧急程度 · normal, urgent, emergency
    #[arg(long)]
    pub severity: Option<Severity>,
    /// 地址 · Address
    #[arg(long)]
    pub address: Option<String>,
    /// 纬度 · Latitude, degrees
    #[arg(long, requires = "lng", allow_negative_numbers = true)]
    pub lat: Option<f64>,
    /// 经度 · Longitude, degrees
    #[arg(long, requires = "lat", allow_negative_numbers = true)]
    pub lng: Option<f64>,
    /// 定位精度（米） · Accuracy of the fix, metres
    #[arg(long)]
    pub accuracy: Option<u32>,
    /// 所属网格代码 · Code of the grid
    #[arg(long)]
    pub grid: Option<AreaCode>,
    /// 发生时间 · When it happened
    #[arg(long, value_name = "TIME")]
    pub occurred: Option<Moment>,
    /// 来源 · Where it came from
    #[arg(long)]
    pub source: Option<String>,
    /// 理由 · Why
    #[arg(long)]
    pub reason: Option<String>,
    /// 给上报人的答复 · Reply to the reporter
    #[arg(long)]
    pub reply: Option<String>,
    /// 处置结果 · Result
    #[arg(long)]
    pub result: Option<String>,
    /// 处置措施 · What was done
    #[arg(long)]
    pub measure: Option<String>,
    /// 完成时间 · When it was finished
    #[arg(long, value_name = "TIME")]
    pub finished: Option<Moment>,
    /// 派给哪个单位 · The organisation it is dispatched to
    #[arg(long)]
    pub org: Option<OrgId>,
    /// 派给哪个人 · The person it is dispatched to
    #[arg(long)]
    pub person: Option<UserId>,
    /// 必须办结的协办单位 · Co-handler whose finishing is required; may be repeated
    #[arg(long, value_name = "ORG")]
    pub required: Vec<OrgId>,
    /// 限期 · When it is due
    #[arg(long, value_name = "TIME")]
    pub due: Option<Moment>,
    /// 办理要求 · Instruction to the handler
    #[arg(long)]
    pub instruction: Option<String>,
    /// 针对的派单或申请 · Assignment or request that it is about; may be repeated
    #[arg(long, value_name = "ACTION")]
    pub target: Vec<ActionId>,
    /// 现场所见 · What was seen on the spot
    #[arg(long)]
    pub observation: Option<String>,
    /// 看到的时间 · When it was seen
    #[arg(long, value_name = "TIME")]
    pub seen: Option<Moment>,
    /// 结案意见 · Conclusion
    #[arg(long)]
    pub conclusion: Option<String>,
    /// 查重结果 · Result of the check for duplicates
    #[arg(long)]
    pub duplicate_check: Option<String>,
    /// 满意度 1–5 · Satisfaction
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub score: Option<u8>,
    /// 其他字段，JSON 对象 · Any fields as a JSON object, named as `show --json` names them
    #[arg(long, value_name = "JSON")]
    pub fields: Option<String>,
}

/// `list`.
#[derive(Debug, Args)]
pub struct List {
    /// 只看未结 · Only open ones
    #[arg(long)]
    pub open: bool,
    /// 只看某状态 · Only in a state: reported, accepted, dispatched, handling, resolved, …
    #[arg(long)]
    pub state: Option<State>,
    /// 只看我上报的 · Only those I reported
    #[arg(long)]
    pub mine: bool,
    /// 只看派给我的 · Only those assigned to me
    #[arg(long)]
    pub assigned: bool,
    /// 按限期排序 · By when they are due
    #[arg(long)]
    pub due: bool,
    #[command(flatten)]
    pub page: Page,
}

/// Which part of a long list.
#[derive(Debug, Clone, Args)]
pub struct Page {
    /// 最多几条 · At most so many
    #[arg(long, default_value_t = 50)]
    pub limit: u32,
    /// 跳过几条 · Leave out the first so many
    #[arg(long, default_value_t = 0)]
    pub skip: u32,
}

/// A record.
#[derive(Debug, Args)]
pub struct Named {
    /// 编号、案卷号或编号末尾 · Its id, case number, or the end of its id
    pub record: String,
}

/// `act`.
#[derive(Debug, Args)]
pub struct Act {
    /// 事件 · The case
    pub case: String,
    /// 动作 · The kind of action: supplement, accept, dispatch, …
    pub kind: ActionKind,
    #[command(flatten)]
    pub fields: ActionFields,
}

/// `household`.
#[derive(Debug, Subcommand)]
pub enum Household {
    /// 新建一户 · Add a household
    Add(HouseholdAdd),
    /// 修改一户或其中一人 · Edit a household or one of its persons
    Edit(HouseholdEdit),
    /// 列出户 · List households
    List(HouseholdList),
    /// 查看一户 · Show a household
    Show(Named),
    /// 记录敏感值（证件号码），另行保存 · Keep a sensitive value (ID number), beside the record
    SetId(SetId),
    /// 查看敏感值；查看会留痕 · Read a sensitive value; the reading is logged
    Reveal(Reveal),
}

/// `household add`.
#[derive(Debug, Args)]
pub struct HouseholdAdd {
    /// 网格代码 · Code of the grid [default: the grid of this phone]
    #[arg(long)]
    pub grid: Option<AreaCode>,
    /// 地址 · Address
    #[arg(long)]
    pub address: String,
    /// 字段=值，可重复 · A field, may be repeated: phone=…, contact=…, tag.独居老人=true
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub set: Vec<String>,
    /// 人员，可重复 · A person, may be repeated: name=张三,relation=02,phone=…
    #[arg(long = "person", value_name = "FIELD=VALUE,…")]
    pub persons: Vec<String>,
}

/// `household edit`.
#[derive(Debug, Args)]
pub struct HouseholdEdit {
    /// 户 · The household
    pub household: String,
    /// 其中哪个人 · One of its persons
    #[arg(long, conflicts_with = "add_person")]
    pub person: Option<PersonId>,
    /// 字段=值；空值清除 · A field, may be repeated; an empty value clears it
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub set: Vec<String>,
    /// 增加一人 · Add a person: name=李四,relation=10
    #[arg(long, value_name = "FIELD=VALUE,…")]
    pub add_person: Option<String>,
}

/// `household list`.
#[derive(Debug, Args)]
pub struct HouseholdList {
    /// 只看某网格 · Only in this grid or area
    #[arg(long)]
    pub grid: Option<AreaCode>,
    #[command(flatten)]
    pub page: Page,
}

/// `household set-id`.
#[derive(Debug, Args)]
pub struct SetId {
    /// 户 · The household
    pub household: String,
    /// 人员 · The person
    #[arg(long)]
    pub person: PersonId,
    /// 证件号码；不给则从标准输入读取 · The number; read from standard input when missing, so that it stays out of the shell's history
    pub value: Option<String>,
}

/// `household reveal`.
#[derive(Debug, Args)]
pub struct Reveal {
    /// 户 · The household
    pub household: String,
    /// 人员 · The person
    #[arg(long)]
    pub person: PersonId,
    /// 理由 · Why: identity, form, emergency, correction, unlisted
    #[arg(long)]
    pub reason: RevealReason,
    /// 理由说明 · Why, in words
    #[arg(long)]
    pub note: Option<String>,
}

/// `visit`.
#[derive(Debug, Args)]
pub struct Visit {
    /// 户 · The household
    pub household: String,
    /// 类型 · routine, care, safety, collection
    #[arg(long, default_value = "routine")]
    pub kind: VisitKind,
    /// 结果 · met, absent, refused, moved
    #[arg(long, default_value = "met")]
    pub result: VisitResult,
    /// 诉求 · What they need
    #[arg(long)]
    pub needs: Option<String>,
    /// 见到的人，可重复 · Who was met, may be repeated
    #[arg(long = "person")]
    pub persons: Vec<PersonId>,
    /// 下次走访 · When the next visit is due
    #[arg(long, value_name = "TIME")]
    pub next: Option<Moment>,
}

/// `search`.
#[derive(Debug, Args)]
pub struct Search {
    /// 要找的词 · What to look for
    #[arg(required = true)]
    pub words: Vec<String>,
    /// 最多几条 · At most so many
    #[arg(long, default_value_t = 20)]
    pub limit: u32,
}

/// `sync`.
#[derive(Debug, Args)]
pub struct Sync {
    /// 失败时最多重试几次 · How often to try again after a failure
    #[arg(long, default_value_t = 2)]
    pub retries: u32,
}

/// `refused`.
#[derive(Debug, Subcommand)]
pub enum Refused {
    /// 列出 · List it
    List,
    /// 放弃 · Give an edit up
    Discard(Edit),
    /// 改为以补充说明发送 · Send what it said as a supplement to the case, and give the edit itself up
    Note(Edit),
    /// 原样重新上传 · Send it again as it was
    Redo(Edit),
    /// 更正后上传 · Send it with other values
    Correct(Box<Correct>),
}

/// `refused correct`: the form's values. What is not given of an action, a visit or an ID number is as it was typed.
#[derive(Debug, Args)]
pub struct Correct {
    #[command(flatten)]
    pub edit: Edit,
    #[command(flatten)]
    pub fields: ActionFields,
    /// 户或人员的字段，可重复 · A field of the household, may be repeated
    #[arg(long, value_name = "FIELD=VALUE")]
    pub set: Vec<String>,
    /// 人员：其后的 --set 都是此人的 · The fields are this person's
    #[arg(long, value_name = "PERSON")]
    pub of: Option<PersonId>,
    /// 走访诉求 · What they need, of a visit
    #[arg(long)]
    pub needs: Option<String>,
    /// 走访结果 · How a visit went: met, absent, refused, moved
    #[arg(long)]
    pub went: Option<VisitResult>,
    /// 证件号码 · The ID number
    #[arg(long, value_name = "NUMBER")]
    pub id_number: Option<String>,
}

/// An edit.
#[derive(Debug, Args)]
pub struct Edit {
    /// 记录：编号或编号末尾 · The record: its number, its id, or the end of it
    pub record: String,
    /// 修改编号（见 refused list） · The edit, as `refused list` shows it
    pub edit: Hash,
}

/// `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// 目录 · The folder; made when missing
    pub dir: PathBuf,
}

/// `invite-qr`.
#[derive(Debug, Args)]
pub struct InviteQr {
    /// 邀请文字 · The invite
    pub invite: String,
}
