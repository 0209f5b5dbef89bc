-- The tables of version 1. "pawl" stands for the schema, whatever it is called.

-- The version of the schema, and what all who use it agree on.
CREATE TABLE pawl.meta (
	version integer NOT NULL,
	commit_ids bigint NOT NULL
);

-- A row a space. Whoever commits locks it first, so that the commits of a space come
-- one after the other; there is room beside it for its next versions.
CREATE TABLE pawl.spaces (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text COLLATE "C" NOT NULL UNIQUE,
	head bigint NOT NULL DEFAULT 0,
	mode integer NOT NULL,     -- 0 asynchronous, 1 synchronous
	lineage text NOT NULL,     -- the cluster and timeline that the space was last seen well on
	mark_store bytea,          -- what its witness knows: see kv/witness
	mark_generation bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 40);

-- A row a key: its newest value.
CREATE TABLE pawl.entries (
	space bigint NOT NULL,
	key bytea NOT NULL,
	version bigint NOT NULL,
	value bytea NOT NULL,
	PRIMARY KEY (space, key)
) WITH (fillfactor = 70);
ALTER TABLE pawl.entries ALTER COLUMN value SET STORAGE EXTERNAL; -- it is sealed: nothing shrinks

-- What became of each commit, as long as it is kept.
CREATE TABLE pawl.ids (
	space bigint NOT NULL,
	random bytea NOT NULL,
	version bigint NOT NULL,
	refused boolean NOT NULL,
	PRIMARY KEY (space, random)
);
CREATE INDEX ids_version ON pawl.ids (space, version);

-- Which keys each version wrote and deleted; a refusal none. There is no gap up to the
-- newest version.
CREATE TABLE pawl.changes (
	space bigint NOT NULL,
	version bigint NOT NULL,
	keys bytea[] NOT NULL,
	gone bytea[] NOT NULL,
	PRIMARY KEY (space, version)
);

-- Turns between processes, in the order of their tickets. They are advice: that they
-- are lost when the server crashes costs a few attempts. No keys: the whole space.
CREATE UNLOGGED TABLE pawl.turns (
	space bigint NOT NULL,
	ticket bigint GENERATED ALWAYS AS IDENTITY,
	keys bytea[] NOT NULL,
	granted boolean NOT NULL DEFAULT false,
	expires timestamptz NOT NULL,
	PRIMARY KEY (space, ticket)
);
