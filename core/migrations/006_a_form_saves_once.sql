-- What forms saved, so that one whose app ended before it was closed is not saved twice. Ids and hashes alone: `form` is a hash of the form's id, `given` one of
-- the id and what the form gave, `saved` what was answered (CBOR of ids). In the order in which they were saved; the last of them are kept (store/form.rs).
CREATE TABLE forms (
    n     INTEGER PRIMARY KEY,
    form  BLOB NOT NULL UNIQUE,
    given BLOB NOT NULL,
    saved BLOB NOT NULL
) STRICT;
