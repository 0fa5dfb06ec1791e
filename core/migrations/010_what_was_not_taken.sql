-- What streams brought and this version does not take. `parked` is why (store/parked.rs); `dropped` is how many changes there was no room to keep aside.
-- `left_out` counts entries of which nothing is kept. A version that takes more reads their streams again.
ALTER TABLE documents ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
DROP INDEX documents_parked;
CREATE INDEX documents_parked ON documents (parked) WHERE parked IS NOT NULL;
CREATE TABLE left_out (
    stream  BLOB NOT NULL REFERENCES streams ON DELETE CASCADE,
    reason  TEXT NOT NULL,
    entries INTEGER NOT NULL,
    PRIMARY KEY (stream, reason)
) STRICT, WITHOUT ROWID;
-- Facts of kinds that this version does not know: kept for a later one, a few.
CREATE INDEX facts_unread ON facts (kind) WHERE kind NOT IN (1, 2, 3, 4, 5, 6, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109);
