//! Errors: a stable kind, and words that a person can act on. No content is in them.

use fieldgrid_core::device::enrol::EnrolError;
use fieldgrid_core::device::store::{OpenError, SaveError, StoreError};
use fieldgrid_core::device::transport::TransportSetupError;

use crate::code::Words;

/// Why something was not done. Whatever it was, nothing is half done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum FieldgridError {
    /// The key is not the store's. Nothing was changed.
    #[error("the key does not fit this store")]
    WrongKey {
        /// What to tell a person.
        words: Words,
    },
    /// The store cannot be opened, read or written.
    #[error("storage: {}", words.en)]
    Storage {
        /// What to tell a person.
        words: Words,
    },
    /// Too long without contact: households are locked.
    #[error("households are locked until the centre is reached")]
    Locked {
        /// What to tell a person.
        words: Words,
    },
    /// The phone is not enrolled.
    #[error("not enrolled: {}", words.en)]
    NotEnrolled {
        /// What to tell a person.
        words: Words,
    },
    /// The centre would refuse it, or the record is not here. What the form holds is kept by the app.
    #[error("not saved: {}", words.en)]
    NotSaved {
        /// What to tell a person.
        words: Words,
    },
}

impl FieldgridError {
    pub(crate) fn malformed() -> Self {
        Self::NotSaved { words: Words::of(("内容格式不正确", "This is not in the right form")) }
    }

    pub(crate) fn bad_invite() -> Self {
        Self::NotEnrolled {
            words: Words::of((
                "这不是邀请码。请完整复制二维码的文字,或向镇街中心要新的",
                "This is not an invite. Copy the whole text of the code, or ask the town centre for a new one",
            )),
        }
    }

    pub(crate) fn stopped() -> Self {
        StoreError::Closed.into()
    }
}

impl From<OpenError> for FieldgridError {
    fn from(error: OpenError) -> Self {
        let words = match error {
            OpenError::WrongKey => {
                return Self::WrongKey { words: Words::of(("密码不对,内容没有损坏", "The key does not fit; nothing was changed")) };
            }
            OpenError::NewerSchema { .. } => ("本机内容由新版本写成,请更新应用", "What is here was written by a newer version; update the app"),
            OpenError::Damaged => ("本机内容的文件已损坏,已原样保留,请联系镇街中心", "The store's file is damaged; it was left as it is. Ask the town centre"),
            OpenError::Locked => ("另一个程序正在使用本机内容,请稍后再试", "Another process has the store open; try again"),
            _ => ("本机存储出错,请检查剩余空间", "This phone's storage failed; see whether there is space left"),
        };
        Self::Storage { words: Words::of(words) }
    }
}

impl From<StoreError> for FieldgridError {
    fn from(error: StoreError) -> Self {
        let words = match error {
            StoreError::RegistryLocked => {
                return Self::Locked {
                    words: Words::of((
                        "太久没有联系中心,住户已锁定;同步一次即可恢复",
                        "No contact for too long, so households are locked; one sync opens them",
                    )),
                };
            }
            StoreError::NotEnrolled => return Self::NotEnrolled { words: Words::of(("本机尚未入网", "This phone is not enrolled")) },
            StoreError::Full => ("本机存储已满,请清理空间后重试", "This phone's storage is full; make room and try again"),
            _ => ("本机存储出错", "This phone's storage failed"),
        };
        Self::Storage { words: Words::of(words) }
    }
}

impl From<SaveError> for FieldgridError {
    fn from(error: SaveError) -> Self {
        let words = match error {
            SaveError::Storage(error) => return error.into(),
            SaveError::NotEnrolled => return StoreError::NotEnrolled.into(),
            SaveError::Refused(reason) => reason.words(),
            SaveError::ReportOnly => ("现在只能上报,请先连网同步一次", "Only reports may be made until the centre is reached"),
            SaveError::NoSuchRecord => ("这条记录不在本机", "This record is not on this phone"),
            _ => ("这条记录无法读写,已原样保留", "This record cannot be read or written; it was left as it is"),
        };
        Self::NotSaved { words: Words::of(words) }
    }
}

impl From<EnrolError> for FieldgridError {
    fn from(error: EnrolError) -> Self {
        Self::NotEnrolled { words: error.words().into() }
    }
}

impl From<TransportSetupError> for FieldgridError {
    fn from(error: TransportSetupError) -> Self {
        EnrolError::Setup(error).into()
    }
}
