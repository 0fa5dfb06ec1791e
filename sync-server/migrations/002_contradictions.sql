-- Positions that this server's key signed and this database does not have: another database with the same key was served in the same epoch. `ours` is the
-- chain there, NULL where the stream is shorter. `device` is whom it was signed for, `heads` the signature with what it is over.
CREATE TABLE contradictions (
    stream  BLOB NOT NULL REFERENCES streams (id),
    seq     INTEGER NOT NULL,
    epoch   INTEGER NOT NULL,
    chain   BLOB NOT NULL,
    ours    BLOB,
    device  BLOB NOT NULL,
    heads   BLOB NOT NULL,
    seen_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, seq, epoch, chain)
) WITHOUT ROWID;
