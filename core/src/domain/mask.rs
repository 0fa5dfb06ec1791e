//! Masks: what those see who may look and not hold (`domain.md` §4.3).

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::area::AreaCode;
use super::code::codes;
use super::household::Household;
use super::id::DocId;

codes! {
    /// Which fields a view shows, and how. Few classes, each a whitelist.
    pub enum MaskClass {
        /// A town desk: where the household is, how many live there, names and phones masked, care needs as a count.
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

/// The masked view of a household.
#[must_use]
pub fn household(_id: DocId, _household: &Household, _grid: Option<AreaCode>, _class: MaskClass) -> HouseholdView {
    unimplemented!()
}

/// 张三 → 张*, 欧阳娜娜 → 欧阳**.
#[must_use]
pub fn name(_name: &str) -> String {
    unimplemented!()
}

/// 13812348000 → 138****8000.
#[must_use]
pub fn phone(_phone: &str) -> String {
    unimplemented!()
}

/// 610702198001010017 → 610702********0017.
#[must_use]
pub fn id_no(_id_no: &str) -> String {
    unimplemented!()
}
