-- What the server signed about streams, each signature once: CBOR of the signed heads, and the device that they were signed for.
CREATE TABLE signed_heads (
    n      INTEGER PRIMARY KEY,
    device BLOB NOT NULL,
    heads  BLOB NOT NULL UNIQUE
) STRICT;

-- Positions that the device reached and the server signed, the older the further apart: where it steps back to when the server names another chain.
-- `heads` is NULL where a pack's head was the signature. `receiving` is as in `streams`.
CREATE TABLE rungs (
    stream    BLOB NOT NULL,
    seq       INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    chain     BLOB NOT NULL,
    heads     INTEGER REFERENCES signed_heads,
    receiving BLOB,
    PRIMARY KEY (stream, seq)
) STRICT, WITHOUT ROWID;

-- Signed positions that the device did not reach, or no longer stands on: of other phones, and of a server that then named another chain.
CREATE TABLE sightings (
    n      INTEGER PRIMARY KEY,
    stream BLOB NOT NULL,
    seq    INTEGER NOT NULL,
    epoch  INTEGER NOT NULL,
    chain  BLOB NOT NULL,
    heads  INTEGER NOT NULL REFERENCES signed_heads,
    UNIQUE (stream, seq, epoch, chain)
) STRICT;

-- Proofs that the server told two stories: one place, one epoch, two chains, both signed. `told` when the centre has been sent both.
CREATE TABLE split_views (
    stream BLOB NOT NULL,
    seq    INTEGER NOT NULL,
    epoch  INTEGER NOT NULL,
    one    INTEGER NOT NULL REFERENCES signed_heads,
    other  INTEGER NOT NULL REFERENCES signed_heads,
    seen_ms INTEGER NOT NULL,
    told   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (stream, seq, epoch)
) STRICT, WITHOUT ROWID;

ALTER TABLE streams DROP COLUMN proof;

-- Where in its own stream the device was given the grant; 0 at enrolment. A step back takes back what lies above. The last is in force.
ALTER TABLE grants ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;

-- What the centre allows, by its place in the device's own stream; the last is in force.
CREATE TABLE instructions (
    seq         INTEGER PRIMARY KEY,
    report_only INTEGER NOT NULL
) STRICT;
INSERT INTO instructions (seq, report_only) SELECT 0, 1 FROM meta WHERE key = 'report_only';
DELETE FROM meta WHERE key = 'report_only';
