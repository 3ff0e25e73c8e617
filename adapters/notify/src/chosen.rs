//! By which way a party hears of its case: the one that it chose, if somebody carries that for the case and the party can be reached by it; then those of
//! the house, in their order. What goes to whoever has access to the case (its pages, and the browsers that have subscribed) is the way of its
//! citizen alone.

use model::activity::Addressee;
use model::case::Case;
use model::party::Party;
use model::rights::Scope;

use crate::Settings;

/// Ways that carry documents alone, and that by which whoever chose paper is written to.
const PAPER: [&str; 2] = ["print", "hybrid"];
const LETTER: &str = "letter";
/// Go to whoever has access to the case, which its citizen has (docs/citizens.md).
const OF_THE_CITIZEN: [&str; 2] = ["push", "portal"];
/// Ways of one notice.
const MOST_WAYS: usize = 10;

/// A way that somebody carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The way; none: all, as a program outside does that is told of every dispatch.
    pub way: Option<String>,
    /// For which cases; none: for all.
    pub scope: Option<Scope>,
}

impl Carried {
    /// Whether it carries this way, for some case.
    pub fn carries(&self, way: &str) -> bool {
        self.way.as_deref().is_none_or(|own| own == way)
    }
}

/// Whom a case concerns.
pub(crate) fn parties<'a>(case: &'a Case, roles: &'a [String]) -> impl Iterator<Item = &'a Party> {
    let all = &case.description.parties;
    let is_named = |party: &&Party| party.role.as_ref().is_some_and(|role| roles.contains(role));
    let has_one = all.iter().any(|party| is_named(&party));
    let first = all.iter().filter(|party| party.authority.is_none()).take(usize::from(!has_one));
    all.iter()
        .filter(move |party| has_one && party.role.as_ref().is_some_and(|role| roles.contains(role)))
        .chain(first)
}

/// The ways that a notice to a party takes, one after the other.
pub(crate) fn ways(party: &Party, to: &Addressee, case: &Case, settings: &Settings) -> Vec<String> {
    let mut ways: Vec<String> = vec![];
    let chosen = party.prefers.as_deref().map(|way| if PAPER.contains(&way) { LETTER } else { way });
    for way in chosen.into_iter().chain(settings.ways.iter().map(String::as_str)) {
        let is_new = ways.iter().all(|known| known != way) && ways.len() < MOST_WAYS;
        let is_its = !OF_THE_CITIZEN.contains(&way) || is_citizen(party, case);
        if is_new && is_its && is_carried(way, case, settings) && to.is_reached_by(way) {
            ways.push(way.to_owned());
        }
    }
    ways
}

/// Whether a party is the citizen of the case. Anybody else would count as told by what the citizen's browser took.
fn is_citizen(party: &Party, case: &Case) -> bool {
    case.description.citizen().is_some_and(|citizen| std::ptr::eq(citizen, party))
}

fn is_carried(way: &str, case: &Case, settings: &Settings) -> bool {
    let meta = &case.meta;
    let covers = |scope: &Scope| scope.covers(&meta.tenant, &meta.unit, meta.public_service.as_deref());
    !PAPER.contains(&way)
        && settings.carried.iter().any(|it| it.carries(way) && it.scope.as_ref().is_none_or(covers))
}
