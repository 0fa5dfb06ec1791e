//! What a page shows, read in one snapshot of the store.

use fieldgrid_core::domain::action::{Action, Severity};
use fieldgrid_core::domain::area::{AreaCode, Level};
use fieldgrid_core::domain::case::{Effect, State};
use fieldgrid_core::domain::fact::FactKind;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::id::{DeviceId, DocId};
use fieldgrid_core::domain::{category, words};
use fieldgrid_core::record::RecordKind;

use super::PhoneBoard;
use super::words::Labels;
use crate::store::{CaseRow, Standing};
use crate::town::{CaseDetail, Latest, Phone, Town, TownError};

/// How many cases and arrivals a page shows.
const LIST: usize = 60;
/// A phone that was heard within this time is in contact.
const IN_CONTACT_MS: i64 = 3 * 60_000;

/// A town's room.
#[derive(Debug)]
pub struct Board {
    /// The town's code.
    pub town: AreaCode,
    /// Its name.
    pub town_name: String,
    /// The names above it.
    pub path: String,
    /// The state that the list is narrowed to.
    pub filter: Option<State>,
    /// Cases that are not over.
    pub open: u32,
    /// Cases by state.
    pub states: Vec<StateCount>,
    /// The list.
    pub cases: Vec<CaseLine>,
    /// How many there are in all.
    pub cases_total: u32,
    /// What came in last.
    pub arrivals: Vec<Arrival>,
    /// Everyone's phone.
    pub phones: Vec<PhoneLine>,
    /// Positions that the server's key signed and that are not here.
    pub contradictions: usize,
}

/// How many cases are in a state.
#[derive(Debug)]
pub struct StateCount {
    /// The state.
    pub state: State,
    /// How many.
    pub count: u32,
}

/// A case in the list.
#[derive(Debug)]
pub struct CaseLine {
    /// Identity.
    pub id: DocId,
    /// Title.
    pub title: String,
    /// Category in words.
    pub category: String,
    /// Number, or the short id before it has one.
    pub number: String,
    /// Severity.
    pub severity: Option<Severity>,
    /// Flags that a person must decide.
    pub flags: u32,
    /// Community.
    pub place: String,
    /// Grid.
    pub grid: String,
    /// State.
    pub state: State,
    /// Its colour.
    pub tone: &'static str,
    /// How long ago something came.
    pub updated: String,
}

/// Something that came in.
#[derive(Debug)]
pub struct Arrival {
    /// Stable key of the line.
    pub key: i64,
    /// How long ago.
    pub time: String,
    /// What.
    pub what: &'static str,
    /// About what.
    pub subject: String,
    /// From whom: role and area, no name.
    pub by: String,
}

/// A phone.
#[derive(Debug)]
pub struct PhoneLine {
    /// Identity.
    pub id: DeviceId,
    /// The person.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Area of the grant.
    pub area: String,
    /// In contact, silent, revoked.
    pub signal: &'static str,
    /// Its colour.
    pub tone: &'static str,
    /// How long ago it was heard.
    pub last_heard: String,
    /// Unsent edits, where known.
    pub unsent: String,
    /// Batches received.
    pub received: u64,
    /// Items refused.
    pub refused: u64,
}

/// A case with its history.
#[derive(Debug)]
pub struct CasePage {
    /// Its town.
    pub town: AreaCode,
    /// Title.
    pub title: String,
    /// State.
    pub state: State,
    /// Its colour.
    pub tone: &'static str,
    /// Labelled facts.
    pub facts: Vec<(&'static str, String)>,
    /// What was done.
    pub history: Vec<HistoryLine>,
}

/// One action.
#[derive(Debug)]
pub struct HistoryLine {
    /// What.
    pub what: &'static str,
    /// By whom: role, no name.
    pub by: String,
    /// How long ago, as claimed.
    pub time: String,
    /// What it says.
    pub text: String,
    /// Whether it took effect.
    pub effective: bool,
    /// Why not.
    pub reason: &'static str,
}

impl Board {
    /// The query that keeps the filter when the page refreshes itself.
    #[must_use]
    pub fn query(&self) -> String {
        self.filter.map(|state| format!("?state={state}")).unwrap_or_default()
    }

    /// How many entries the server holds: the number of the last one.
    #[must_use]
    pub fn entries(&self) -> i64 {
        self.arrivals.first().map_or(0, |arrival| arrival.key)
    }

    /// Whether the list is narrowed to this state.
    #[must_use]
    pub fn is_shown(&self, state: &State) -> bool {
        self.filter.as_ref() == Some(state)
    }

    /// Reads a town's room.
    ///
    /// # Errors
    /// When the store fails.
    pub fn read(town: &Town, area: AreaCode, filter: Option<State>, t: &Labels, phones: Option<&dyn PhoneBoard>) -> Result<Self, TownError> {
        let now_ms = town.now_ms();
        let counts = town.counts(area)?.cases;
        let open = counts.iter().filter(|(state, _)| is_open(*state)).map(|(_, count)| count).sum();
        let cases_total = counts.iter().filter(|(state, _)| filter.is_none_or(|wanted| wanted == *state)).map(|(_, count)| count).sum();
        let cases = town.cases(area, filter, LIST)?.into_iter().map(|row| case_line(town, row, t, now_ms)).collect::<Result<_, _>>()?;
        let rows = town.phones()?;
        let arrivals = town.latest(LIST)?.into_iter().map(|latest| arrival(latest, &rows, t, now_ms)).collect();
        let here = |phone: &Phone| phone.grant.as_ref().is_none_or(|grant| grant.scopes.iter().any(|scope| area.contains(*scope) || scope.contains(area)));
        let mut phones: Vec<_> = rows.into_iter().filter(here).map(|row| phone_line(row, t, phones, now_ms)).collect();
        phones.sort_by(|a, b| (a.role.rank(), &a.area, a.id).cmp(&(b.role.rank(), &b.area, b.id)));
        Ok(Self {
            contradictions: town.contradictions()?.len(),
            town: area,
            town_name: town.division(area)?.unwrap_or_else(|| area.to_string()),
            path: above(town, area)?,
            filter,
            open,
            states: counts.into_iter().map(|(state, count)| StateCount { state, count }).collect(),
            cases,
            cases_total,
            arrivals,
            phones,
        })
    }
}

impl CasePage {
    /// Shows a folded case.
    #[must_use]
    pub fn of(CaseDetail { row, case }: &CaseDetail, t: &Labels, now_ms: i64) -> Self {
        let lang = t.html_lang;
        let header = &case.header;
        let mut facts = Vec::new();
        let mut fact = |label, value: Option<String>| facts.extend(value.filter(|value| !value.is_empty()).map(|value| (label, value)));
        fact(t.number, Some(number(row)));
        fact(t.category, header.category.as_deref().map(|code| category_name(code, lang)));
        fact(t.severity_word, header.severity.map(|severity| t.severity(severity).to_owned()));
        fact(t.text, header.text.clone());
        fact(t.address, header.place.as_ref().and_then(|place| place.address.clone()));
        fact(t.grid, header.grid.map(|grid| grid.to_string()));
        fact(t.due, row.due_ms.filter(|due| *due <= now_ms).map(|due| t.ago(now_ms, due)));
        fact(t.reply, case.reply.clone());
        let history = case.history.iter().map(|entry| history_line(&entry.action, entry.effect, t, now_ms)).collect();
        Self { town: row.area.at(Level::Town).unwrap_or(row.area), title: title(row, t), state: case.state, tone: tone(case.state), facts, history }
    }
}

fn case_line(town: &Town, row: CaseRow, t: &Labels, now_ms: i64) -> Result<CaseLine, TownError> {
    let community = row.area.at(Level::Village).map(|village| town.division(village)).transpose()?.flatten();
    Ok(CaseLine {
        id: row.doc,
        title: title(&row, t),
        category: row.category.as_deref().map(|code| category_name(code, t.html_lang)).unwrap_or_default(),
        number: number(&row),
        severity: row.severity,
        flags: row.flags,
        place: community.unwrap_or_default(),
        grid: row.area.to_string(),
        state: row.state,
        tone: tone(row.state),
        updated: t.ago(now_ms, row.updated_ms),
    })
}

fn arrival(latest: Latest, phones: &[Phone], t: &Labels, now_ms: i64) -> Arrival {
    let what = match (latest.record, latest.fact) {
        (Some((RecordKind::Case, _)), _) => t.reported_change,
        (Some(_), _) => t.household_change,
        (None, Some(FactKind::Visit)) => t.visit,
        _ => t.fact,
    };
    let grant = phones.iter().find(|phone| phone.device == latest.device).and_then(|phone| phone.grant.as_ref());
    let by = grant.map(|grant| format!("{} {}", t.role_name(grant.role), grant.scopes.first().map(ToString::to_string).unwrap_or_default()));
    Arrival {
        key: latest.entry,
        time: t.ago(now_ms, latest.received_ms),
        what,
        subject: latest.case.map(|row| title(&row, t)).unwrap_or_default(),
        by: by.unwrap_or_default(),
    }
}

fn phone_line(row: Phone, t: &Labels, phones: Option<&dyn PhoneBoard>, now_ms: i64) -> PhoneLine {
    let said = phones.and_then(|phones| phones.phone(row.device));
    let heard = now_ms - row.heard_ms;
    let online = said.map_or(heard < IN_CONTACT_MS, |said| said.online);
    let (signal, tone) = match (row.standing, online) {
        (Standing::Revoked, _) => (t.revoked, "bad"),
        (_, true) => (t.online, "go"),
        (_, false) => (t.quiet, "wait"),
    };
    PhoneLine {
        id: row.device,
        name: row.name.unwrap_or_default(),
        role: row.grant.as_ref().map_or(Role::Other(0), |grant| grant.role),
        area: row.grant.as_ref().and_then(|grant| grant.scopes.first()).map(ToString::to_string).unwrap_or_default(),
        signal,
        tone,
        last_heard: t.ago(now_ms, row.heard_ms),
        unsent: said.map_or_else(|| "–".to_owned(), |said| said.unsent.to_string()),
        received: row.batches,
        refused: row.refused,
    }
}

fn history_line(action: &Action, effect: Effect, t: &Labels, now_ms: i64) -> HistoryLine {
    let fields = &action.fields;
    let said = [&fields.text, &fields.measure, &fields.observation, &fields.reason, &fields.instruction, &fields.conclusion, &fields.reply];
    HistoryLine {
        what: words::action(action.kind).get(t.html_lang),
        by: t.role_name(action.author.role).to_owned(),
        time: t.ago(now_ms, action.at.wall_ms),
        text: said.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" · "),
        effective: effect == Effect::Effective,
        reason: match effect {
            Effect::Effective => "",
            Effect::Ineffective(reason) => words::ineffective(reason).get(t.html_lang),
        },
    }
}

fn above(town: &Town, area: AreaCode) -> Result<String, TownError> {
    let mut names = Vec::new();
    let mut at = area.parent();
    while let Some(area) = at {
        names.extend(town.division(area)?);
        at = area.parent();
    }
    names.reverse();
    Ok(names.join(" "))
}

fn title(row: &CaseRow, t: &Labels) -> String {
    row.title.clone().unwrap_or_else(|| t.case.to_owned())
}

/// The number, or the short id before acceptance: the last six digits of the identity (`domain.md` §8).
fn number(row: &CaseRow) -> String {
    row.number.clone().unwrap_or_else(|| {
        let id = row.doc.to_string();
        id[id.len() - 6..].to_owned()
    })
}

fn category_name(code: &str, lang: &str) -> String {
    category::words(code).map_or(code, |words| words.get(lang)).to_owned()
}

const fn is_open(state: State) -> bool {
    !matches!(state, State::Closed | State::Rejected | State::Withdrawn | State::Merged | State::Void | State::Draft)
}

const fn tone(state: State) -> &'static str {
    match state {
        State::Reported | State::Accepted | State::Dispatched => "wait",
        State::Handling | State::Resolved | State::Verified => "go",
        _ => "",
    }
}
