-- A town's server. See docs/schema.md, "On the server".
-- Identifiers are 16-byte blobs, hashes 32 bytes, times milliseconds since 1970, area codes text.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- The server's lives. Each restore opens a new one; what two lives share ends where the lists part.
CREATE TABLE epochs (
    epoch     INTEGER PRIMARY KEY,
    opened_ms INTEGER NOT NULL
);

CREATE TABLE streams (
    id     BLOB PRIMARY KEY,
    kind   INTEGER NOT NULL,
    area   TEXT,
    org    BLOB,
    device BLOB,
    head   INTEGER NOT NULL,
    chain  BLOB NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX streams_area ON streams (kind, area) WHERE area IS NOT NULL;
CREATE UNIQUE INDEX streams_org ON streams (org) WHERE org IS NOT NULL;
CREATE UNIQUE INDEX streams_device ON streams (device) WHERE device IS NOT NULL;

CREATE TABLE epoch_streams (
    stream BLOB NOT NULL REFERENCES streams (id),
    epoch  INTEGER NOT NULL REFERENCES epochs (epoch),
    first  INTEGER NOT NULL,
    PRIMARY KEY (stream, epoch)
) WITHOUT ROWID;

-- What streams consist of; the payload once, however many streams it is in.
CREATE TABLE entries (
    id          INTEGER PRIMARY KEY,
    kind        INTEGER NOT NULL, -- 1 change, 2 fact, 3 join, 4 leave
    hash        BLOB NOT NULL,
    doc         BLOB,             -- the document, or a fact's subject
    doc_kind    INTEGER,
    change      BLOB,             -- a change's hash
    edit        BLOB,             -- the edit it carries out, when it is a redo
    fact        BLOB,             -- a fact's id
    fact_kind   INTEGER,
    incarnation BLOB,             -- whose batch brought it: none for the server's own
    batch       INTEGER,
    item        INTEGER,
    body        BLOB NOT NULL
);
CREATE UNIQUE INDEX entries_change ON entries (doc, change) WHERE kind = 1;
CREATE UNIQUE INDEX entries_fact ON entries (fact) WHERE kind = 2;

CREATE TABLE stream_entries (
    stream BLOB NOT NULL REFERENCES streams (id),
    seq    INTEGER NOT NULL,
    entry  INTEGER NOT NULL REFERENCES entries (id),
    chain  BLOB NOT NULL,
    PRIMARY KEY (stream, seq)
) WITHOUT ROWID;
CREATE INDEX stream_entries_entry ON stream_entries (entry);

CREATE TABLE docs (
    id      BLOB PRIMARY KEY,
    kind    INTEGER NOT NULL,
    area    TEXT NOT NULL,
    heads   BLOB NOT NULL,
    changes INTEGER NOT NULL,
    author  BLOB NOT NULL -- the device that created it
) WITHOUT ROWID;

CREATE TABLE doc_streams (
    doc     BLOB NOT NULL REFERENCES docs (id),
    stream  BLOB NOT NULL REFERENCES streams (id),
    joined  INTEGER NOT NULL, -- position of the entry that brought it in
    through INTEGER NOT NULL, -- the last entry id that its join carried; 0 when it entered with its first change
    left    INTEGER,          -- position of the entry that took it out; it may join again
    PRIMARY KEY (doc, stream, joined)
) WITHOUT ROWID;
CREATE UNIQUE INDEX doc_streams_stream ON doc_streams (stream, doc) WHERE left IS NULL;
CREATE INDEX doc_streams_left ON doc_streams (stream, left) WHERE left IS NOT NULL;

-- By document: two first saves of one actor in the same second may be the same bytes in two documents.
CREATE TABLE edits (
    doc    BLOB NOT NULL REFERENCES docs (id),
    edit   BLOB NOT NULL,
    change BLOB NOT NULL,
    PRIMARY KEY (doc, edit)
) WITHOUT ROWID;

-- Changes that are not in their document and never will be: what depends on them is stranded.
CREATE TABLE refused (
    doc     BLOB NOT NULL,
    change  BLOB NOT NULL,
    item    BLOB NOT NULL,
    verdict INTEGER NOT NULL, -- 1 refused, 2 stranded, 3 already held under another hash
    PRIMARY KEY (doc, change)
) WITHOUT ROWID;

-- The actions of cases: which entry brought each, and when it can have been done.
CREATE TABLE actions (
    doc      BLOB NOT NULL REFERENCES docs (id),
    action   BLOB NOT NULL,
    entry    INTEGER NOT NULL,
    earliest INTEGER NOT NULL,
    latest   INTEGER NOT NULL,
    PRIMARY KEY (doc, action)
) WITHOUT ROWID;

CREATE TABLE stands_for (
    doc    BLOB NOT NULL,
    action BLOB NOT NULL,
    seen   BLOB NOT NULL,
    PRIMARY KEY (doc, action)
) WITHOUT ROWID;

-- Projections for the console and for views.
CREATE TABLE cases (
    doc            BLOB PRIMARY KEY REFERENCES docs (id),
    area           TEXT NOT NULL,
    number         TEXT,
    state          INTEGER NOT NULL,
    title          TEXT,
    category       TEXT,
    severity       INTEGER,
    reopen_pending INTEGER NOT NULL,
    flags          INTEGER NOT NULL,
    actions        INTEGER NOT NULL,
    reporter       INTEGER NOT NULL, -- role
    due_ms         INTEGER,
    created_ms     INTEGER NOT NULL,
    updated_ms     INTEGER NOT NULL,
    progress       BLOB              -- the last view the reporter was sent
) WITHOUT ROWID;
CREATE INDEX cases_area ON cases (area, state);
CREATE INDEX cases_updated ON cases (updated_ms);

CREATE TABLE households (
    doc        BLOB PRIMARY KEY REFERENCES docs (id),
    area       TEXT NOT NULL,
    persons    INTEGER NOT NULL,
    care       INTEGER NOT NULL,
    view       BLOB NOT NULL, -- the masked row the desk was sent last
    updated_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX households_area ON households (area);

CREATE TABLE devices (
    id          BLOB PRIMARY KEY,
    key         BLOB NOT NULL,
    user        BLOB NOT NULL,
    stream      BLOB NOT NULL REFERENCES streams (id),
    standing    INTEGER NOT NULL, -- 1 active, 2 report-only, 3 revoked
    enrolled_ms INTEGER NOT NULL,
    heard_ms    INTEGER NOT NULL,
    refused     INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX devices_user ON devices (user);

CREATE TABLE incarnations (
    id     BLOB PRIMARY KEY,
    device BLOB NOT NULL REFERENCES devices (id),
    place  INTEGER NOT NULL, -- 1 for the device's first life
    closed INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    hash   BLOB NOT NULL,
    safe   INTEGER NOT NULL DEFAULT 0 -- the last batch that a verified backup covers
) WITHOUT ROWID;
CREATE UNIQUE INDEX incarnations_device ON incarnations (device, place);

CREATE TABLE batches (
    incarnation BLOB NOT NULL REFERENCES incarnations (id),
    seq         INTEGER NOT NULL,
    hash        BLOB NOT NULL,
    header      BLOB NOT NULL,
    signature   BLOB NOT NULL,
    items       BLOB NOT NULL,    -- the items' hashes, 32 bytes each
    verdict     INTEGER NOT NULL, -- the entry with the latest verdict
    received_ms INTEGER NOT NULL,
    PRIMARY KEY (incarnation, seq)
) WITHOUT ROWID;

-- Changes that wait for what they depend on, and items kept aside for an administrator.
CREATE TABLE held (
    id          INTEGER PRIMARY KEY,
    why         INTEGER NOT NULL, -- 1 waiting, 2 quarantined
    device      BLOB NOT NULL REFERENCES devices (id),
    incarnation BLOB NOT NULL,
    seq         INTEGER NOT NULL,
    item        INTEGER NOT NULL,
    doc         BLOB,
    missing     BLOB,
    body        BLOB NOT NULL,
    since_ms    INTEGER NOT NULL
);
CREATE INDEX held_doc ON held (doc) WHERE why = 1;
CREATE INDEX held_device ON held (device, why);

CREATE TABLE grants (
    id         BLOB PRIMARY KEY,
    device     BLOB NOT NULL REFERENCES devices (id),
    body       BLOB NOT NULL,
    issued_ms  INTEGER NOT NULL,
    ended_ms   INTEGER, -- when another took its place
    revoked_ms INTEGER
) WITHOUT ROWID;
CREATE INDEX grants_device ON grants (device, issued_ms);

CREATE TABLE invites (
    code       BLOB PRIMARY KEY, -- SHA-256 of the one-time code
    role       INTEGER NOT NULL,
    org        BLOB,
    scopes     TEXT NOT NULL,    -- separated by spaces
    name       TEXT,
    user       BLOB NOT NULL,
    expires_ms INTEGER NOT NULL,
    used_ms    INTEGER
) WITHOUT ROWID;

CREATE TABLE sessions (
    token      BLOB PRIMARY KEY, -- SHA-256 of the token
    device     BLOB NOT NULL REFERENCES devices (id),
    expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_device ON sessions (device);

-- The signed requests that were answered, by the SHA-256 of what is signed: each opens one session. The last of each device; `at` counts up for each.
CREATE TABLE signed_requests (
    device BLOB NOT NULL REFERENCES devices (id),
    hash   BLOB NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (device, hash)
) WITHOUT ROWID;
CREATE UNIQUE INDEX signed_requests_at ON signed_requests (device, at);

-- The last states of each device, confirmed or foreseen.
CREATE TABLE device_states (
    device    BLOB NOT NULL REFERENCES devices (id),
    hash      BLOB NOT NULL,
    state     BLOB NOT NULL,
    directory BLOB NOT NULL, -- hash of the directory it was told
    at        INTEGER NOT NULL, -- counts up for each device
    PRIMARY KEY (device, hash)
) WITHOUT ROWID;

CREATE TABLE divisions (
    code TEXT PRIMARY KEY,
    name TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE orgs (
    id   BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    area TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE people (
    user BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    area TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE serials (
    town TEXT NOT NULL,
    day  TEXT NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (town, day)
) WITHOUT ROWID;

CREATE TABLE packs (
    stream   BLOB NOT NULL REFERENCES streams (id),
    seq      INTEGER NOT NULL,
    epoch    INTEGER NOT NULL,
    chain    BLOB NOT NULL,
    level    INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    sha256   BLOB NOT NULL,
    built_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, sha256)
) WITHOUT ROWID;
