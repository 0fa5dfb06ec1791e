//! `sync`, `watch` and `status`.

use std::time::Duration;

use fieldgrid_core::device::DeviceStatus;
use fieldgrid_core::device::store::{CaseFilter, Lease, PageRequest, Unsent, split_view_words};
use fieldgrid_core::device::sync::{SyncSummary, Wait, WaitReason};
use fieldgrid_core::domain::words;
use tokio::time::sleep;

use crate::args::Sync;
use crate::output::table;
use crate::time::Moment;
use crate::{App, Failure};

/// Rows of the list that `watch` shows anew.
const WATCHED: u32 = 20;

impl App {
    pub fn sync(&self, args: &Sync) -> Result<(), Failure> {
        let summary = self.runtime.block_on(async {
            let mut summary = self.device.sync_now().await?;
            for _ in 0..args.retries {
                let Some(wait) = summary.wait.filter(passes_by_itself) else {
                    break;
                };
                sleep(Duration::from_millis(wait.ms)).await;
                summary = self.device.sync_now().await?;
            }
            Ok::<_, Failure>(summary)
        })?;
        let report_only = self.device.identity().is_some() && self.device.status()?.store.lease == Lease::ReportOnly;
        self.out.result(&summary, || self.summary(&summary, report_only));
        match summary.wait {
            Some(Wait { reason: WaitReason::NotEnrolled, .. }) => Err(Failure::enrolment(self.out.word(WaitReason::NotEnrolled.words()))),
            Some(wait) => Err(Failure::unsynced(self.out.word(wait.reason.words()))),
            None => match summary.unsent {
                Unsent { count: 1.., why: Some(why), .. } => Err(Failure::unsynced(self.out.word(why.words()))),
                Unsent { .. } => Ok(()),
            },
        }
    }

    pub fn status(&self) -> Result<(), Failure> {
        let status = self.device.status()?;
        self.out.result(&status, || self.status_text(&status));
        Ok(())
    }

    pub fn watch(&self) -> Result<(), Failure> {
        self.device.start()?;
        let Some(mut sync) = self.device.observe_sync()? else {
            return Err(Failure::enrolment(self.out.word(WaitReason::NotEnrolled.words())));
        };
        self.runtime.block_on(async {
            let mut cases = self.device.observe_cases(CaseFilter::default(), PageRequest::first(WATCHED));
            let mut status = self.device.observe_status();
            loop {
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => break,
                    page = cases.next() => {
                        let page = page?;
                        self.out.result(&page, || format!("\n{}", self.lines(page.rows.iter().map(|row| self.case_line(row)).collect())));
                    }
                    now = status.next() => {
                        let now = now?;
                        self.out.result(&now, || self.out.say(
                            format_args!("未上传 {} · 被拒 {}", now.unsent, now.refused),
                            format_args!("unsent {} · refused {}", now.unsent, now.refused),
                        ));
                    }
                    changed = sync.changed() => {
                        if changed.is_err() {
                            break;
                        }
                        let waiting = sync.borrow_and_update().clone();
                        if let Some(wait) = waiting.wait.filter(|_| !waiting.syncing) {
                            self.out.result(&wait, || self.out.word(wait.reason.words()).to_owned());
                        }
                    }
                }
            }
            self.device.stop().await;
            Ok(())
        })
    }

    fn summary(&self, summary: &SyncSummary, report_only: bool) -> String {
        let SyncSummary { sent_bytes, received_bytes, round_trips, entries, receipts, refused, unsent: Unsent { count, aside, .. }, .. } = summary;
        let mut text = vec![self.out.say(
            format_args!("往返 {round_trips} 次 · 发送 {sent_bytes} 字节 · 收到 {received_bytes} 字节 · 新内容 {entries} · 回执 {receipts} · 被拒 {refused}"),
            format_args!(
                "{round_trips} round trips · {sent_bytes} bytes sent · {received_bytes} received · {entries} entries · {receipts} receipts · {refused} refused"
            ),
        )];
        if *count > 0 {
            text.push(self.out.say(format_args!("未上传 {count} 项"), format_args!("{count} unsent")));
        }
        if *aside > 0 {
            text.push(self.out.say(
                format_args!("{aside} 项已到中心，在那里等待前文或审核"),
                format_args!("{aside} are at the centre, and wait there for what they build on or for an administrator"),
            ));
        }
        if report_only {
            text.push(
                self.out.say("联系中心或经中心批准前只能上报和补充", "Only reports and supplements until the centre is reached or has approved this phone"),
            );
        }
        text.join("\n")
    }

    fn status_text(&self, DeviceStatus { enrolment, store, .. }: &DeviceStatus) -> String {
        let mut lines = Vec::new();
        let mut line = |zh: &str, en: &str, value: String| lines.push(vec![self.out.say(zh, en), value]);
        match enrolment {
            Some(enrolment) => {
                let scopes = enrolment.scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                line("身份", "identity", format!("{} {} {scopes}", enrolment.name.as_deref().unwrap_or_default(), self.out.word(words::role(enrolment.role))));
                line("中心", "centre", enrolment.server.clone());
            }
            None => line("身份", "identity", self.out.say("尚未入网", "not enrolled")),
        }
        line("未上传", "unsent", store.unsent.to_string());
        line("被拒收", "refused", store.refused.to_string());
        line("中心已收到", "received", store.received.to_string());
        if store.split_views > 0 {
            line("矛盾的签名", "split views", format!("{} · {}", store.split_views, self.out.word(split_view_words())));
        }
        for parked in &store.parked_for {
            line("搁置", "parked", format!("{} · {}", u64::from(parked.records) + parked.entries, self.out.word(parked.reason.words())));
        }
        line("事件", "cases", store.cases.to_string());
        line("户", "households", store.households.to_string());
        line("上次联系", "last contact", store.contact_ms.map_or_else(|| self.out.say("从未", "never"), |ms| Moment(ms).to_string()));
        line(
            "离线期限",
            "lease",
            match store.lease {
                Lease::Open(ms) => self.out.say(format_args!("还有 {} 小时", ms / 3_600_000), format_args!("{} hours left", ms / 3_600_000)),
                Lease::ReportOnly => self.out.say("只能上报", "reports only"),
            },
        );
        table(&lines)
    }
}

/// Whether waiting is likely to help without a person.
fn passes_by_itself(wait: &Wait) -> bool {
    const PATIENCE_MS: u64 = 60_000;
    let transient = matches!(
        wait.reason,
        WaitReason::NoNetwork | WaitReason::Timeout | WaitReason::ServerBusy | WaitReason::ServerFailed | WaitReason::Scheduled | WaitReason::NotTaken
    );
    transient && wait.ms <= PATIENCE_MS
}
