//! What a screen gives and gets beside the store's own rows.

use serde::{Deserialize, Serialize};

use super::runner::SyncStatus;
use super::store::{CaseDetail, HouseholdDetail, Identity, Status};
use crate::domain::area::AreaCode;
use crate::domain::grant::Role;
use crate::domain::household;
use crate::domain::id::{DeviceId, OrgId};

/// A household as a form gives it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NewHousehold {
    /// Its fields; `grid` and `address` belong in every one.
    pub fields: household::Fields,
    /// Its persons' fields.
    pub persons: Vec<household::Fields>,
}

/// A record on its screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Detail {
    /// A case.
    Case(Box<CaseDetail>),
    /// A household.
    Household(Box<HouseholdDetail>),
}

/// Who the phone is to the centre.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Enrolment {
    /// The device.
    pub device: DeviceId,
    /// The person's display name.
    pub name: Option<String>,
    /// The role the grant gives.
    pub role: Role,
    /// Areas by code.
    pub scopes: Vec<AreaCode>,
    /// The department or centre the person belongs to.
    pub org: Option<OrgId>,
    /// When the grant ends, milliseconds since 1970.
    pub expires_ms: i64,
    /// Base URL of the server.
    pub server: String,
}

impl From<Identity> for Enrolment {
    fn from(Identity { device, grant, name, server, .. }: Identity) -> Self {
        Self { device, name, role: grant.role, scopes: grant.scopes, org: grant.org, expires_ms: grant.expires_ms, server }
    }
}

/// How the phone stands: the whole of its status screen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceStatus {
    /// Who it is; none before enrolment.
    pub enrolment: Option<Enrolment>,
    /// What the store knows: unsent, refused, last contact, lease.
    pub store: Status,
    /// What sync is doing, and why it waits.
    pub sync: SyncStatus,
}
