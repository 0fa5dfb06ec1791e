//! Roles and grants: who may do what, where, until when (`domain.md` §3.3, §5).

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::area::{AreaCode, Level};
use super::code::codes;
use super::id::{DeviceId, GrantId, OrgId, UserId};

codes! {
    /// What a person does in the grid system (`domain.md` §5). The numbers are stored and sent.
    pub enum Role {
        /// 流动网格员: a delivery rider who reports what he sees.
        Rider = 1 "rider",
        /// 志愿者.
        Volunteer = 2 "volunteer",
        /// 楼层长.
        FloorLeader = 3 "floor_leader",
        /// 分楼层长.
        FloorGroupLeader = 4 "floor_group_leader",
        /// 单元长.
        UnitLeader = 5 "unit_leader",
        /// 楼栋长.
        BuildingLeader = 6 "building_leader",
        /// 网格员.
        GridMember = 7 "grid_member",
        /// 网格长.
        GridHead = 8 "grid_head",
        /// 小区党组织(物业)负责人.
        EstateLead = 9 "estate_lead",
        /// 社区/村.
        Community = 10 "community",
        /// 部门承办人.
        Department = 11 "department",
        /// 镇街调度员.
        TownDispatcher = 12 "town_dispatcher",
        /// 镇街负责人.
        TownLeader = 13 "town_leader",
        /// 县区调度平台.
        County = 14 "county",
        /// 市指挥枢纽.
        City = 15 "city",
        /// 审计.
        Auditor = 16 "auditor",
    }
}

impl Role {
    /// Authority for ties between concurrent decisions (`domain.md` §3.3). An unknown role has none.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::City => 70,
            Self::County => 60,
            Self::TownLeader => 55,
            Self::TownDispatcher => 50,
            Self::Department => 40,
            Self::Community => 30,
            Self::EstateLead => 25,
            Self::GridHead => 20,
            Self::GridMember => 15,
            Self::FloorLeader | Self::FloorGroupLeader | Self::UnitLeader | Self::BuildingLeader => 10,
            Self::Rider | Self::Volunteer => 5,
            Self::Auditor | Self::Other(_) => 0,
        }
    }

    /// The level on whose behalf the role decides; `None` for roles that do not decide (`domain.md` R11).
    #[must_use]
    pub const fn level(self) -> Option<Level> {
        match self {
            Self::GridMember | Self::GridHead => Some(Level::Grid),
            Self::Community => Some(Level::Village),
            Self::TownDispatcher | Self::TownLeader => Some(Level::Town),
            Self::County => Some(Level::County),
            Self::City => Some(Level::City),
            _ => None,
        }
    }

    /// Whether devices of this role hold household documents (`domain.md` §0.8, §4.3). All others see masked views, or nothing.
    #[must_use]
    pub const fn holds_households(self) -> bool {
        matches!(self, Self::GridMember | Self::GridHead | Self::Community)
    }
}

/// What a device may do: role, area, until when. Signed by the server; a change of role is a new grant, never an edit.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct Grant {
    /// Identity.
    #[n(0)]
    pub id: GrantId,
    /// The device it was given to.
    #[n(1)]
    pub device: DeviceId,
    /// The person.
    #[n(2)]
    pub user: UserId,
    /// The role.
    #[n(3)]
    pub role: Role,
    /// The department or centre the person belongs to.
    #[n(4)]
    pub org: Option<OrgId>,
    /// Areas by code prefix; a code under any of them is in scope.
    #[n(5)]
    pub scopes: Vec<AreaCode>,
    /// When it was issued, milliseconds since 1970, server's clock.
    #[n(6)]
    pub issued_ms: i64,
    /// When it ends, milliseconds since 1970.
    #[n(7)]
    pub expires_ms: i64,
    /// The grant it takes the place of.
    #[n(8)]
    pub supersedes: Option<GrantId>,
    /// How long the device may go on without contact, milliseconds (7 days grid, 3 days rider).
    #[n(9)]
    pub lease_ms: i64,
}

impl Grant {
    /// Whether `area` lies in one of the scopes.
    #[must_use]
    pub fn covers(&self, area: AreaCode) -> bool {
        self.scopes.iter().any(|scope| scope.contains(area))
    }

    /// The author that actions under this grant carry.
    #[must_use]
    pub fn author(&self) -> Author {
        Author { grant: self.id, user: self.user, role: self.role, org: self.org, scopes: self.scopes.clone() }
    }

    /// The town of the first scope, when the scope is a town or lies in one.
    #[must_use]
    pub fn town(&self) -> Option<AreaCode> {
        self.scopes.first().and_then(|scope| scope.at(Level::Town))
    }
}

/// Who did it, as an action carries it: what the fold needs of the grant, so that no other document is looked up (`domain.md` R1).
/// Admission checks it against the grant itself.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct Author {
    /// The grant it was done under.
    #[n(0)]
    pub grant: GrantId,
    /// The person: "own report", "not the finisher" and "assigned to" are said of people, and grants are renewed.
    #[n(1)]
    pub user: UserId,
    /// The role the grant gives.
    #[n(2)]
    pub role: Role,
    /// The organisation the grant names.
    #[n(3)]
    pub org: Option<OrgId>,
    /// The grant's areas.
    #[n(4)]
    pub scopes: Vec<AreaCode>,
}

impl Author {
    /// Whether `area` lies in one of the scopes.
    #[must_use]
    pub fn covers(&self, area: AreaCode) -> bool {
        self.scopes.iter().any(|scope| scope.contains(area))
    }
}
