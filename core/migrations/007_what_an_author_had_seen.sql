-- What the author of own work had before him when he wrote it: CBOR list of [change, edit or null].
-- Work that is done again is written over that, so that it stays beside what he had not seen.
ALTER TABLE own ADD COLUMN seen BLOB;
