//! The head of a case: each field is multi-value over its causally maximal writers (`domain.md` rows 5, 38, 39 as amended).

use crate::domain::action::{Action, ActionKind, Place, Severity};

use super::graph::Graph;
use super::{Flag, FlagLevel, Header};

/// Places nearer than this are the same place, and the more accurate fix wins (row 39).
const SAME_PLACE_M: f64 = 200.0;

/// The header, and what concurrent writers left for people to know.
pub(super) fn fold(graph: &Graph<'_>, writers: &[usize]) -> (Header, Vec<Flag>) {
    let mut flags = Vec::new();
    let header = Header {
        title: best(graph, writers, |action| action.fields.title.clone(), None),
        text: best(graph, writers, |action| action.fields.text.clone(), None),
        category: best(graph, writers, |action| action.fields.category.clone(), Some(&mut flags)),
        severity: severity(graph, writers),
        place: place(graph, writers, &mut flags),
        grid: best(graph, writers, |action| action.fields.grid, Some(&mut flags)),
        occurred_ms: best(graph, writers, |action| action.fields.occurred_ms, None),
        source: best(graph, writers, |action| action.fields.source.clone(), None),
    };
    let severe = maximal(graph, writers, |action| action.fields.severity);
    flags.extend(differing(graph, &severe).map(|actions| Flag { row: 38, level: FlagLevel::Info, actions }));
    (header, flags)
}

/// The worst that the maximal writers say.
pub(super) fn severity(graph: &Graph<'_>, writers: &[usize]) -> Option<Severity> {
    maximal(graph, writers, |action| action.fields.severity).into_iter().map(|(_, severity)| severity).max()
}

/// Who wrote the field and was overwritten by nobody.
fn maximal<T>(graph: &Graph<'_>, writers: &[usize], field: impl Fn(&Action) -> Option<T>) -> Vec<(usize, T)> {
    let mut values: Vec<(usize, T)> = writers.iter().filter_map(|at| Some((*at, field(graph.action(*at))?))).collect();
    let all: Vec<usize> = values.iter().map(|(at, _)| *at).collect();
    values.retain(|(at, _)| !all.iter().any(|later| graph.saw(*later, *at)));
    values
}

/// Higher rank, then ACCEPT before EDIT, then the tie.
fn leads(graph: &Graph<'_>, a: usize, b: usize) -> bool {
    let key = |at: usize| (graph.node(at).rank(), graph.kind(at) == ActionKind::Accept);
    key(a) > key(b) || (key(a) == key(b) && graph.better(a, b))
}

fn best<T: PartialEq>(graph: &Graph<'_>, writers: &[usize], field: impl Fn(&Action) -> Option<T>, flags: Option<&mut Vec<Flag>>) -> Option<T> {
    let values = maximal(graph, writers, field);
    if let Some(flags) = flags {
        flags.extend(differing(graph, &values).filter(|_| !between_accepts(graph, &values)).map(|actions| Flag { row: 39, level: FlagLevel::Must, actions }));
    }
    values.into_iter().reduce(|best, next| if leads(graph, next.0, best.0) { next } else { best }).map(|(_, value)| value)
}

/// Two acceptances are row 5's.
fn between_accepts<T>(graph: &Graph<'_>, values: &[(usize, T)]) -> bool {
    values.iter().all(|(at, _)| graph.kind(*at) == ActionKind::Accept)
}

/// The pairs that say different things.
fn differing<T: PartialEq>(graph: &Graph<'_>, values: &[(usize, T)]) -> impl Iterator<Item = [crate::domain::id::ActionId; 2]> {
    let differ = |(a, b): (&(usize, T), &(usize, T))| (a.1 != b.1).then(|| super::pair(graph.id(a.0), graph.id(b.0)));
    let pairs: Vec<_> = values.iter().enumerate().flat_map(|(i, a)| values[i + 1..].iter().map(move |b| (a, b))).filter_map(differ).collect();
    pairs.into_iter()
}

/// Places that are all near each other are one place, and the most accurate fix names it; else the best writer's.
fn place(graph: &Graph<'_>, writers: &[usize], flags: &mut Vec<Flag>) -> Option<Place> {
    let values = maximal(graph, writers, |action| action.fields.place.clone());
    let near = |a: &Place, b: &Place| a == b || metres(a, b).is_some_and(|m| m <= SAME_PLACE_M);
    let all_near = values.iter().enumerate().all(|(i, a)| values[i + 1..].iter().all(|b| near(&a.1, &b.1)));
    if all_near {
        let accuracy = |(at, place): &(usize, Place)| (place.accuracy_m.unwrap_or(u32::MAX), *at);
        return values
            .into_iter()
            .reduce(|best, next| {
                let (a, b) = (accuracy(&next).0, accuracy(&best).0);
                if a < b || (a == b && leads(graph, next.0, best.0)) { next } else { best }
            })
            .map(|(_, place)| place);
    }
    flags.extend(differing(graph, &values).map(|actions| Flag { row: 39, level: FlagLevel::Must, actions }));
    values.into_iter().reduce(|best, next| if leads(graph, next.0, best.0) { next } else { best }).map(|(_, place)| place)
}

/// Metres between two points, good to 1 % over a town (a degree of latitude is 111,320 m). Every replica must find the same: only operations
/// that IEEE 754 rounds exactly, so the cosine is its series (error below 1e-6 at Hanzhong's latitude) and not the platform's.
fn metres(a: &Place, b: &Place) -> Option<f64> {
    let (lat_a, lat_b) = (f64::from(a.lat_e6?) / 1e6, f64::from(b.lat_e6?) / 1e6);
    let (lng_a, lng_b) = (f64::from(a.lng_e6?) / 1e6, f64::from(b.lng_e6?) / 1e6);
    let latitude = (lat_a + lat_b) / 2.0 * (std::f64::consts::PI / 180.0);
    let x = latitude * latitude;
    let cosine = 1.0 - x / 2.0 * (1.0 - x / 12.0 * (1.0 - x / 30.0 * (1.0 - x / 56.0)));
    let (north, east) = (lat_a - lat_b, (lng_a - lng_b) * cosine);
    Some((north * north + east * east).sqrt() * 111_320.0)
}
