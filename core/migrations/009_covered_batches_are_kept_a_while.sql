-- When the server first said that a verified backup covers the batch. It is not signed, so the bytes are kept a while longer (store/held.rs).
ALTER TABLE batches ADD COLUMN safe_ms INTEGER;
