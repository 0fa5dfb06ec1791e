-- The phone's store (docs/schema.md, "On the phone"). Times are milliseconds since 1970 unless a name says otherwise; ids and hashes are raw bytes.

-- Single values: identity, incarnation, clocks, session. Keys in store/meta.rs.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Every grant the device was given, as signed. The last issued is in force; earlier ones say which actions were its own.
CREATE TABLE grants (
    grant_id  BLOB PRIMARY KEY,
    issued_ms INTEGER NOT NULL,
    signed    BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The lives of this store. The last is the actor of what is written now.
CREATE TABLE lives (
    n           INTEGER PRIMARY KEY,
    incarnation BLOB NOT NULL UNIQUE
) STRICT;

-- The streams the device reads, how far it read them, and the server's signed word for that. `left_seq` is where the last record left the stream; should a
-- restored server not know of that, the stream is to be read from its start again (`reread`). `receiving` is the stream's last word on when the server
-- received what follows: CBOR of an interval.
CREATE TABLE streams (
    stream BLOB PRIMARY KEY,
    kind   INTEGER NOT NULL,
    area   TEXT,
    org    BLOB,
    epoch  INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    chain  BLOB NOT NULL,
    proof  BLOB,
    left_seq INTEGER NOT NULL DEFAULT 0,
    reread   INTEGER NOT NULL DEFAULT 0,
    receiving BLOB
) STRICT, WITHOUT ROWID;

-- Which streams hold a document or a fact. What none holds is purged once own work on it is delivered.
CREATE TABLE held (
    item   BLOB NOT NULL,
    stream BLOB NOT NULL REFERENCES streams ON DELETE CASCADE,
    PRIMARY KEY (item, stream)
) STRICT, WITHOUT ROWID;
CREATE INDEX held_by_stream ON held (stream, item);

-- Records. `changes` is the confirmed base: raw chunks, each after its length (u32, big-endian), dependencies first. `edits` names the redos among
-- them: CBOR [[index, edit id]]. `aside` holds what did not go in, in the same form (edit id, then chunk), and `parked` says why. `view` is the server's masked row,
-- for those who look and do not hold. A record that is `leaving` has lost a stream: it is purged when none holds it and own work on it is delivered.
CREATE TABLE documents (
    n           INTEGER PRIMARY KEY,
    doc         BLOB NOT NULL UNIQUE,
    kind        INTEGER NOT NULL,
    changes     BLOB NOT NULL DEFAULT x'',
    edits       BLOB,
    aside       BLOB,
    parked      TEXT,
    view        BLOB,
    delivery    INTEGER NOT NULL DEFAULT 0,
    reason      INTEGER,
    received_ms INTEGER,
    leaving     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX documents_leaving ON documents (n) WHERE leaving = 1;
CREATE INDEX documents_parked ON documents (doc) WHERE parked IS NOT NULL;

-- Facts, own and received. A body that is NULL was erased.
CREATE TABLE facts (
    fact    BLOB PRIMARY KEY,
    kind    INTEGER NOT NULL,
    subject BLOB,
    area    TEXT,
    wall_ms INTEGER NOT NULL,
    mono_ms INTEGER NOT NULL,
    hash    BLOB NOT NULL,
    body    BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX facts_by_subject ON facts (subject, kind);

-- Sealed batches: stored before their first byte is sent, never changed. `bytes` is NULL once a verified backup covers the batch. `verdict_seq` is the
-- verdict's place in the device's stream. A void batch took no position and never will.
CREATE TABLE batches (
    n           INTEGER PRIMARY KEY,
    incarnation BLOB NOT NULL,
    seq         INTEGER NOT NULL,
    hash        BLOB NOT NULL,
    bytes       BLOB,
    held        INTEGER NOT NULL DEFAULT 0,
    void        INTEGER NOT NULL DEFAULT 0,
    verdict_seq INTEGER,
    received_ms INTEGER,
    UNIQUE (incarnation, seq)
) STRICT;

-- What has arrived of the pack that is being fetched: pieces by their offset in the file. Gone once a pack is applied or none is needed.
CREATE TABLE parts (
    at    INTEGER PRIMARY KEY,
    pack  BLOB NOT NULL,
    bytes BLOB NOT NULL
) STRICT;

-- What this device wrote: one row for each change or fact it made, with the intent behind a change. A redo is a new row with the same edit id. `raw` is
-- the chunk while the change is part of the overlay; it goes to documents.changes when a stream confirms it. Never dropped by a migration.
CREATE TABLE own (
    n           INTEGER PRIMARY KEY,
    doc         BLOB,
    kind        INTEGER NOT NULL,
    edit        BLOB NOT NULL,
    change      BLOB NOT NULL,
    fact        BLOB,
    raw         BLOB,
    command     BLOB,
    made_ms     INTEGER NOT NULL,
    batch       INTEGER REFERENCES batches,
    item        INTEGER,
    status      INTEGER NOT NULL,
    reason      INTEGER,
    received_ms INTEGER,
    attempt     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX own_by_doc ON own (doc, n);
CREATE INDEX own_by_edit ON own (edit);
CREATE INDEX own_by_change ON own (change);
CREATE INDEX own_by_batch ON own (batch, item);
CREATE INDEX own_open ON own (status, n) WHERE status NOT IN (2, 8, 9);

-- Actions of cases, and when the server received them. The case is empty while only the receipt is here. Two equal reports of one moment share an id.
CREATE TABLE actions (
    action      BLOB NOT NULL,
    doc         BLOB NOT NULL,
    earliest_ms INTEGER,
    latest_ms   INTEGER,
    PRIMARY KEY (action, doc)
) STRICT, WITHOUT ROWID;
CREATE INDEX actions_by_doc ON actions (doc);

-- Projections: what lists and screens are answered from. Derived; `rebuild_projections` makes them again.
CREATE TABLE cases (
    n           INTEGER PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
    state       INTEGER NOT NULL,
    open        INTEGER NOT NULL,
    custody     TEXT NOT NULL,
    severity    INTEGER,
    category    TEXT,
    title       TEXT,
    address     TEXT,
    grid        TEXT,
    number      TEXT,
    due_ms      INTEGER,
    reported_ms INTEGER,
    updated_ms  INTEGER NOT NULL,
    flags       INTEGER NOT NULL,
    mine        INTEGER NOT NULL,
    assigned    INTEGER NOT NULL
) STRICT;
CREATE INDEX cases_by_time ON cases (updated_ms, n);
CREATE INDEX cases_open_by_time ON cases (open, updated_ms, n);
CREATE INDEX cases_by_state ON cases (state, updated_ms, n);
CREATE INDEX cases_by_due ON cases (due_ms, n) WHERE open = 1 AND due_ms IS NOT NULL;
CREATE INDEX cases_mine ON cases (updated_ms, n) WHERE mine = 1;
CREATE INDEX cases_assigned ON cases (updated_ms, n) WHERE assigned = 1;

CREATE TABLE households (
    n          INTEGER PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
    grid       TEXT,
    address    TEXT,
    head       TEXT,
    phone      TEXT,
    persons    INTEGER NOT NULL,
    care       INTEGER NOT NULL,
    masked     INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX households_by_place ON households (grid, address, n);
CREATE INDEX households_by_time ON households (updated_ms, n);

CREATE TABLE visits (
    n           INTEGER PRIMARY KEY,
    fact        BLOB NOT NULL UNIQUE REFERENCES facts ON DELETE CASCADE,
    household   BLOB,
    kind        INTEGER NOT NULL,
    result      INTEGER NOT NULL,
    wall_ms     INTEGER NOT NULL,
    next_due_ms INTEGER
) STRICT;
CREATE INDEX visits_by_household ON visits (household, wall_ms, n);
CREATE INDEX visits_by_time ON visits (wall_ms, n);

-- The folded record as JSON, for detail screens.
CREATE TABLE details (
    n    INTEGER PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
    body BLOB NOT NULL
) STRICT;

-- Names of areas, organisations and people.
CREATE TABLE reference (
    kind INTEGER NOT NULL,
    key  TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

-- Full text, one row a record (rowid = documents.n), Han characters apart (store/search.rs). It keeps its text, and secure-delete, so that a purge leaves
-- no word behind in the index: a contentless table only marks rows as gone.
CREATE VIRTUAL TABLE search USING fts5 (text, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3 4');
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
