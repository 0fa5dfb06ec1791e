//! `export`: every record as an Automerge file, and beside it exactly what `show --json` prints.

use std::path::Path;

use crate::args::Export;
use crate::output::pretty;
use crate::{App, Failure};

impl App {
    pub fn export(&self, args: &Export) -> Result<(), Failure> {
        let write = |path: &Path, bytes: &[u8]| std::fs::write(path, bytes).map_err(|error| Failure::other(format_args!("{}: {error}", path.display())));
        std::fs::create_dir_all(&args.dir).map_err(|error| Failure::other(format_args!("{}: {error}", args.dir.display())))?;
        let mut count = 0_u64;
        for (doc, _) in self.device.records()? {
            let (Some(file), Some(detail)) = (self.device.automerge_file(doc)?, self.device.detail(doc)?) else {
                continue;
            };
            let path = args.dir.join(doc.to_string());
            write(&path.with_added_extension("automerge"), &file)?;
            write(&path.with_added_extension("json"), format!("{}\n", pretty(&detail)).as_bytes())?;
            count += 1;
        }
        // What its author has to decide about is in no record, and its record may have left.
        let refused = self.device.refused()?;
        if !refused.is_empty() {
            write(&args.dir.join("refused.json"), format!("{}\n", pretty(&refused)).as_bytes())?;
        }
        let dir = args.dir.display();
        self.out.result(&serde_json::json!({ "records": count }), || {
            self.out.say(format_args!("已导出 {count} 条记录到 {dir}"), format_args!("Exported {count} records to {dir}"))
        });
        Ok(())
    }
}
