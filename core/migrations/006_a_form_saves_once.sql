-- What forms saved, so that one whose app ended before it was closed is not saved twice. Ids and hashes alone: `form` is a hash of the form's id, `given` one of
-- the id and what the form gave, `saved` what was answered (CBOR of ids). Kept for 30 days (store/form.rs).
CREATE TABLE forms (
    form     BLOB PRIMARY KEY,
    given    BLOB NOT NULL,
    saved    BLOB NOT NULL,
    noted_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX forms_by_time ON forms (noted_ms);
