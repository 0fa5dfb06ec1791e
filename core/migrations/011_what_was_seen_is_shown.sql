-- Whether the centre has been shown a position that contradicts it, or that another phone showed.
ALTER TABLE sightings ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
