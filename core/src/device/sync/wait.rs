//! Why a phone waits, and what to tell a person about it.

use crate::domain::code::codes;
use crate::domain::words::Words;

codes! {
    /// Why the phone waits before it asks again.
    pub enum WaitReason {
        /// Nothing is wrong: the next look is due later.
        Scheduled = 1 "scheduled",
        /// No connection to the server.
        NoNetwork = 2 "no_network",
        /// The server did not answer in time.
        Timeout = 3 "timeout",
        /// The server is busy, or this phone asked too often; it said when to come again.
        ServerBusy = 4 "server_busy",
        /// The server failed.
        ServerFailed = 5 "server_failed",
        /// The device is not enrolled.
        NotEnrolled = 6 "not_enrolled",
        /// The server does not recognise the device's signature.
        NotRecognised = 7 "not_recognised",
        /// The device is revoked.
        Revoked = 8 "revoked",
        /// The server speaks a newer version of the protocol, or no longer this one.
        NeedsUpdate = 9 "needs_update",
        /// The phone's clock is outside the time for which the server's certificate holds.
        Clock = 10 "clock",
        /// The server's certificate is not trusted.
        Untrusted = 11 "untrusted",
        /// What came back is not an answer to the request: a login page of the network, or a damaged answer.
        BadAnswer = 12 "bad_answer",
        /// The server does not take the request.
        Rejected = 13 "rejected",
        /// The phone's own storage failed.
        Storage = 14 "storage",
        /// The server is older than this phone and cannot read its work yet.
        ServerOutdated = 15 "server_outdated",
        /// The server did not take what was sent, and signed nothing that says why.
        NotTaken = 16 "not_taken",
    }
}

impl WaitReason {
    /// What to tell a person: what is the matter and what to do.
    #[must_use]
    pub const fn words(self) -> Words {
        let (zh, en) = match self {
            Self::Scheduled => ("一切正常，稍后自动同步", "All is well; the next sync comes by itself"),
            Self::NoNetwork => ("没有网络，记录已保存在本机，有网后自动上传", "No network. Records are safe on this phone and go out when there is one"),
            Self::Timeout => ("中心没有及时应答，稍后自动重试", "The centre did not answer in time; trying again by itself"),
            Self::ServerBusy => ("中心正忙，稍后自动重试", "The centre is busy; trying again by itself"),
            Self::ServerFailed => {
                ("中心服务出错，稍后自动重试；持续出现请联系镇街中心", "The centre's server failed; trying again. If it goes on, call the town centre")
            }
            Self::NotEnrolled => ("本机尚未入网，请扫描镇街中心的二维码", "This phone is not enrolled; scan the town centre's code"),
            Self::NotRecognised => ("中心不认识本机，请到镇街中心重新入网", "The centre does not recognise this phone; enrol again at the town centre"),
            Self::Revoked => ("本机已被吊销，请到镇街中心办理", "This phone is revoked; go to the town centre"),
            Self::NeedsUpdate => ("版本过旧，请更新应用；未上传的记录都在本机", "This version is too old; update the app. Unsent records stay on this phone"),
            Self::Clock => ("手机时间不对，请校准日期和时间", "The phone's clock is wrong; set date and time"),
            Self::Untrusted => {
                ("服务器证书不可信，请更换网络或联系镇街中心", "The server's certificate is not trusted; change network or call the town centre")
            }
            Self::BadAnswer => ("收到的不是中心的应答，请检查网络是否需要登录", "That was not the centre's answer; see whether this network wants a login"),
            Self::Rejected => ("中心不接受请求，请联系镇街中心", "The centre does not take the request; call the town centre"),
            Self::Storage => ("本机存储出错，请检查剩余空间", "This phone's storage failed; see whether there is space left"),
            Self::ServerOutdated => (
                "中心系统版本较旧，升级后自动上传；未上传的记录都在本机",
                "The centre's system is older than this app. Unsent records stay on this phone and go out once it is updated",
            ),
            Self::NotTaken => (
                "中心没有接收上传的内容，内容仍在本机，会自动重试；持续出现请联系镇街中心",
                "The centre did not take what was sent. It is kept on this phone and sent again by itself; if it goes on, call the town centre",
            ),
            Self::Other(_) => ("等待中，稍后自动重试", "Waiting; trying again by itself"),
        };
        Words { zh, en }
    }
}

/// A wait, with its bound and its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Wait {
    /// How long, milliseconds; never more than [`super::MAX_WAIT_MS`].
    pub ms: u64,
    /// Why.
    pub reason: WaitReason,
}
