-- Streams by a short number.
ALTER TABLE streams ADD COLUMN n INTEGER;
UPDATE streams SET n = (SELECT count(*) FROM streams s WHERE s.stream <= streams.stream);
-- The epoch that the server named last for the stream.
ALTER TABLE streams ADD COLUMN told_epoch INTEGER NOT NULL DEFAULT 0;

-- What came at which place of a stream. `item` is a record's id and the first 8 bytes of a change's
-- hash, a fact's id, or the first 8 bytes of the hash of a fact that replaced what was there.
CREATE TABLE arrivals (
    stream INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    item   BLOB NOT NULL,
    PRIMARY KEY (stream, seq, item)
) STRICT, WITHOUT ROWID;

-- What came at places that the server took back, and has not come again since.
CREATE TABLE doubts (
    item   BLOB PRIMARY KEY,
    stream BLOB NOT NULL,
    epoch  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Where the first verdict on the batch is; a later one may be taken back alone.
ALTER TABLE batches ADD COLUMN first_seq INTEGER;

-- Changes that were taken out of the base again, each after its length: the edit's id, the chunk.
ALTER TABLE documents ADD COLUMN withdrawn BLOB;
