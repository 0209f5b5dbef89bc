CREATE SCHEMA "pawl";
-- The tables of version 1. "pawl" stands for the schema, whatever it is called.

-- The version of the schema, and what all who use it agree on.
CREATE TABLE "pawl".meta (
	version integer NOT NULL,
	commit_ids bigint NOT NULL
);

-- A row a space. Whoever commits locks it first, so that the commits of a space come
-- one after the other; there is room beside it for its next versions.
CREATE TABLE "pawl".spaces (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text COLLATE "C" NOT NULL UNIQUE,
	head bigint NOT NULL DEFAULT 0,
	mode integer NOT NULL,     -- 0 asynchronous, 1 synchronous
	lineage text NOT NULL,     -- the cluster and timeline that the space was last seen well on
	mark_store bytea,          -- what its witness knows: see kv/witness
	mark_generation bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 40);

-- A row a key: its newest value.
CREATE TABLE "pawl".entries (
	space bigint NOT NULL,
	key bytea NOT NULL,
	version bigint NOT NULL,
	value bytea NOT NULL,
	PRIMARY KEY (space, key)
) WITH (fillfactor = 70);
ALTER TABLE "pawl".entries ALTER COLUMN value SET STORAGE EXTERNAL; -- it is sealed: nothing shrinks

-- What became of each commit, as long as it is kept.
CREATE TABLE "pawl".ids (
	space bigint NOT NULL,
	random bytea NOT NULL,
	version bigint NOT NULL,
	refused boolean NOT NULL,
	PRIMARY KEY (space, random)
);
CREATE INDEX ids_version ON "pawl".ids (space, version);

-- Which keys each version wrote and deleted; a refusal none. There is no gap up to the
-- newest version.
CREATE TABLE "pawl".changes (
	space bigint NOT NULL,
	version bigint NOT NULL,
	keys bytea[] NOT NULL,
	gone bytea[] NOT NULL,
	PRIMARY KEY (space, version)
);

-- Turns between processes, in the order of their tickets. They are advice: that they
-- are lost when the server crashes costs a few attempts. No keys: the whole space.
CREATE UNLOGGED TABLE "pawl".turns (
	space bigint NOT NULL,
	ticket bigint GENERATED ALWAYS AS IDENTITY,
	keys bytea[] NOT NULL,
	granted boolean NOT NULL DEFAULT false,
	expires timestamptz NOT NULL,
	PRIMARY KEY (space, ticket)
);
-- A standby is never read: what it shows may be older than what was acknowledged.
CREATE OR REPLACE FUNCTION "pawl".primary_only() RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF pg_is_in_recovery() THEN
		RAISE EXCEPTION 'the server is a standby' USING ERRCODE = '25006';
	END IF;
END
$$;

-- Locks the row of a space, and makes it first if there is none. Everything that the
-- caller does after it is done on the newest state: each statement of a function that
-- is VOLATILE has a snapshot of its own, in READ COMMITTED.
CREATE OR REPLACE FUNCTION "pawl".enter(p_space text, p_mode integer) RETURNS "pawl".spaces LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_space "pawl".spaces;
BEGIN
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		RAISE EXCEPTION 'default_transaction_isolation is %, want read committed', current_setting('transaction_isolation')
			USING ERRCODE = 'PW001';
	END IF;
	LOOP
		SELECT * INTO v_space FROM "pawl".spaces s WHERE s.name = p_space FOR NO KEY UPDATE;
		EXIT WHEN FOUND;
		INSERT INTO "pawl".spaces (name, mode, lineage) VALUES (p_space, p_mode, "pawl".lineage())
			ON CONFLICT DO NOTHING;
	END LOOP;
	RETURN v_space;
END
$$;

-- The cluster and the timeline that it writes now; that of the control file is known
-- only at the next checkpoint. The cluster is read from a file, once by each process of
-- the server: it cannot change while one lives.
CREATE OR REPLACE FUNCTION "pawl".lineage() RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_system text := current_setting('pawlkv.system', true);
BEGIN
	IF v_system IS NULL OR v_system = '' THEN
		SELECT system_identifier INTO v_system FROM pg_control_system();
		v_system := set_config('pawlkv.system', v_system, false);
	END IF;
	RETURN v_system || '/' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8);
END
$$;

-- Whether the server waits for standbys.
CREATE OR REPLACE FUNCTION "pawl".is_synchronous() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN current_setting('synchronous_standby_names') <> '';
END
$$;

-- Refuses to go on with a space that may have gone back in time, and is true otherwise:
-- to assign it spares the query that PERFORM makes, as with durability. An asynchronous
-- space may have gone back whenever the server is another cluster, or on another
-- timeline, than when the caller first asked (p_lineage); or than the space was last seen
-- well on, unless the caller has been told so (p_accept). A synchronous one may have when
-- its server does not wait for standbys.
CREATE OR REPLACE FUNCTION "pawl".fit(p_space "pawl".spaces, p_lineage text, p_accept boolean) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_now text;
BEGIN
	IF p_space.mode = 1 THEN
		IF NOT "pawl".is_synchronous() THEN
			RAISE EXCEPTION 'synchronous_standby_names is empty' USING ERRCODE = 'PW002';
		END IF;
		RETURN true;
	END IF;
	v_now := "pawl".lineage();
	IF v_now <> p_lineage OR v_now <> p_space.lineage AND NOT p_accept THEN
		RAISE EXCEPTION 'the server is now %, the space was on %', v_now, p_space.lineage USING ERRCODE = 'PW003';
	END IF;
	RETURN true;
END
$$;

-- What is known of a space, and the lineage of the server: one row, also where there is
-- no such space.
CREATE OR REPLACE FUNCTION "pawl".look(p_space text)
RETURNS TABLE (o_now text, o_mode integer, o_lineage text, o_store bytea, o_generation bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_space "pawl".spaces;
BEGIN
	PERFORM "pawl".primary_only();
	SELECT * INTO v_space FROM "pawl".spaces s WHERE s.name = p_space;
	RETURN QUERY SELECT "pawl".lineage(), v_space.mode, v_space.lineage, v_space.mark_store, coalesce(v_space.mark_generation, 0);
END
$$;

-- Stores what the witness of a space knows: from now on it is well where it is.
CREATE OR REPLACE FUNCTION "pawl".save_mark(p_space text, p_mode integer, p_lineage text, p_store bytea, p_generation bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_space "pawl".spaces;
BEGIN
	v_space := "pawl".enter(p_space, p_mode);
	PERFORM "pawl".fit(v_space, p_lineage, true);
	IF v_space.mark_store = p_store AND v_space.mark_generation > p_generation THEN
		RETURN;
	END IF;
	UPDATE "pawl".spaces s SET mark_store = p_store, mark_generation = p_generation, lineage = p_lineage WHERE s.id = v_space.id;
	PERFORM "pawl".durability(true);
END
$$;

-- Gives a space another mode, while the server waits for standbys and all is well.
CREATE OR REPLACE FUNCTION "pawl".set_mode(p_space text, p_mode integer, p_lineage text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_space "pawl".spaces;
BEGIN
	v_space := "pawl".enter(p_space, p_mode);
	PERFORM "pawl".fit(v_space, p_lineage, false);
	IF NOT "pawl".is_synchronous() THEN
		RAISE EXCEPTION 'synchronous_standby_names is empty' USING ERRCODE = 'PW002';
	END IF;
	UPDATE "pawl".spaces s SET mode = p_mode, lineage = p_lineage WHERE s.id = v_space.id;
	PERFORM "pawl".durability(true);
END
$$;

-- The names of the spaces that begin with a text, in their order.
CREATE OR REPLACE FUNCTION "pawl".spaces_named(p_prefix text) RETURNS TABLE (o_name text) LANGUAGE sql STABLE AS $$
	SELECT s.name FROM "pawl".spaces s WHERE starts_with(s.name, p_prefix) AND s.head > 0 ORDER BY s.name
$$;

-- Gives a space another name, and says whether there was one; that of one which holds
-- nothing may be taken.
CREATE OR REPLACE FUNCTION "pawl".rename(p_space text, p_to text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	DELETE FROM "pawl".spaces s WHERE s.name = p_to AND s.head = 0;
	UPDATE "pawl".spaces s SET name = p_to WHERE s.name = p_space;
	RETURN FOUND;
END
$$;

-- Removes a space with all that is in it.
CREATE OR REPLACE FUNCTION "pawl".remove(p_space text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_id bigint;
BEGIN
	DELETE FROM "pawl".spaces s WHERE s.name = p_space RETURNING s.id INTO v_id;
	DELETE FROM "pawl".entries e WHERE e.space = v_id;
	DELETE FROM "pawl".ids d WHERE d.space = v_id;
	DELETE FROM "pawl".changes c WHERE c.space = v_id;
	DELETE FROM "pawl".turns t WHERE t.space = v_id;
END
$$;
-- Each key is looked up by itself (a LIMIT within LATERAL keeps it so): whatever is known
-- of the size of a table when a plan is made, which is kept for long, no plan compares
-- all keys with all.

-- What of a batch's reads (kind 1) and scans (kind 2) holds no longer. The arrays
-- yields say how many of the keys and versions after them belong to each prefix.
CREATE OR REPLACE FUNCTION "pawl".stale(
	p_id bigint, p_keys bytea[], p_versions bigint[],
	p_prefixes bytea[], p_uppers bytea[], p_yields integer[], p_yield_keys bytea[], p_yield_versions bigint[]
) RETURNS TABLE (o_kind integer, o_name bytea) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
	v_from integer := 0;
	v_there bigint;
	v_same bigint;
BEGIN
	IF cardinality(p_keys) > 0 THEN
		RETURN QUERY SELECT 1, r.key
			FROM unnest(p_keys, p_versions) AS r(key, version)
			LEFT JOIN LATERAL (SELECT e.version FROM "pawl".entries e WHERE e.space = p_id AND e.key = r.key LIMIT 1) e ON true
			WHERE coalesce(e.version, 0) <> r.version;
	END IF;
	FOR i IN 1 .. cardinality(p_prefixes) LOOP
		SELECT count(*) INTO v_there FROM "pawl".entries e
			WHERE e.space = p_id AND e.key >= p_prefixes[i] AND e.key < p_uppers[i];
		SELECT count(*) INTO v_same
			FROM unnest(p_yield_keys[v_from + 1 : v_from + p_yields[i]], p_yield_versions[v_from + 1 : v_from + p_yields[i]]) AS y(key, version)
			CROSS JOIN LATERAL (SELECT e.version FROM "pawl".entries e WHERE e.space = p_id AND e.key = y.key LIMIT 1) e
			WHERE y.key >= p_prefixes[i] AND y.key < p_uppers[i] AND e.version = y.version;
		IF v_there <> p_yields[i] OR v_same <> p_yields[i] THEN
			o_kind := 2;
			o_name := p_prefixes[i];
			RETURN NEXT;
		END IF;
		v_from := v_from + p_yields[i];
	END LOOP;
END
$$;

-- Validates the reads and scans of a batch without writes: the head (kind 0), then
-- what is stale.
CREATE OR REPLACE FUNCTION "pawl".holds(
	p_space text, p_keys bytea[], p_versions bigint[],
	p_prefixes bytea[], p_uppers bytea[], p_yields integer[], p_yield_keys bytea[], p_yield_versions bigint[]
) RETURNS TABLE (o_kind integer, o_version bigint, o_name bytea) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
	v_id bigint := 0;
	v_head bigint := 0;
BEGIN
	PERFORM "pawl".primary_only();
	SELECT s.id, s.head INTO v_id, v_head FROM "pawl".spaces s WHERE s.name = p_space;
	RETURN QUERY SELECT 0, coalesce(v_head, 0), NULL::bytea;
	RETURN QUERY SELECT s.o_kind, 0::bigint, s.o_name
		FROM "pawl".stale(coalesce(v_id, 0), p_keys, p_versions, p_prefixes, p_uppers, p_yields, p_yield_keys, p_yield_versions) s;
END
$$;
-- Whether a turn stands that ends at a time. None is asked for or granted for more than
-- 2 seconds: one that ends much later was, and then the server's clock was set back.
-- Without that those of processes that are gone would hold up all others until the clock
-- is where it was.
CREATE OR REPLACE FUNCTION "pawl".stands(p_expires timestamptz) RETURNS boolean LANGUAGE sql VOLATILE AS $$
	SELECT p_expires > clock_timestamp() AND p_expires < clock_timestamp() + interval '5 seconds'
$$;

-- The newest of the turns that a commit has to wait for, NULL if there is none: those
-- on one of its keys or on the whole space that were asked for before it came (ticket
-- p_came, 0 for a commit that comes now). One that carries a granted turn waits for
-- granted ones only.
CREATE OR REPLACE FUNCTION "pawl".turn_before(p_id bigint, p_keys bytea[], p_ticket bigint, p_came bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_holder boolean := EXISTS (
		SELECT FROM "pawl".turns t WHERE t.space = p_id AND t.ticket = p_ticket AND t.granted AND "pawl".stands(t.expires));
	v_newest bigint;
BEGIN
	SELECT max(t.ticket) INTO v_newest FROM "pawl".turns t
		WHERE t.space = p_id AND t.ticket <> p_ticket AND (p_came = 0 OR t.ticket <= p_came)
			AND "pawl".stands(t.expires) AND (t.granted OR NOT v_holder)
			AND (t.keys = '{}' OR t.keys && p_keys);
	RETURN v_newest;
END
$$;

-- Asks for a turn, and grants it if nobody stands before it. A ticket that is not
-- granted is held for p_patience, and longer by whoever asks again.
CREATE OR REPLACE FUNCTION "pawl".ask(p_space text, p_mode integer, p_keys bytea[], p_life bigint, p_patience bigint)
RETURNS TABLE (o_ticket bigint, o_granted boolean) LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
	v_space "pawl".spaces;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	v_space := "pawl".enter(p_space, p_mode);
	DELETE FROM "pawl".turns t WHERE t.space = v_space.id AND NOT "pawl".stands(t.expires);
	INSERT INTO "pawl".turns (space, keys, expires)
		VALUES (v_space.id, p_keys, clock_timestamp() + p_patience * interval '1 ms') RETURNING ticket INTO o_ticket;
	o_granted := "pawl".grant(v_space.id, o_ticket, p_life);
	RETURN NEXT;
END
$$;

-- Grants a turn that is first: who calls it has locked the space.
CREATE OR REPLACE FUNCTION "pawl".grant(p_id bigint, p_ticket bigint, p_life bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_keys bytea[] := (SELECT t.keys FROM "pawl".turns t WHERE t.space = p_id AND t.ticket = p_ticket);
BEGIN
	IF EXISTS (
		SELECT FROM "pawl".turns t
		WHERE t.space = p_id AND t.ticket < p_ticket AND "pawl".stands(t.expires)
			AND (t.keys = '{}' OR v_keys = '{}' OR t.keys && v_keys))
	THEN
		RETURN false;
	END IF;
	UPDATE "pawl".turns t SET granted = true, expires = clock_timestamp() + p_life * interval '1 ms'
		WHERE t.space = p_id AND t.ticket = p_ticket;
	RETURN FOUND;
END
$$;

-- Asks again for a turn: 1 granted, 0 not yet, -1 it is gone and must be asked for
-- anew. As long as somebody stands before it nothing is locked.
CREATE OR REPLACE FUNCTION "pawl".ask_again(p_space text, p_ticket bigint, p_life bigint, p_patience bigint) RETURNS integer LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off AS $$
DECLARE
	v_space "pawl".spaces;
	v_turn "pawl".turns;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	SELECT * INTO v_space FROM "pawl".spaces s WHERE s.name = p_space;
	SELECT * INTO v_turn FROM "pawl".turns t WHERE t.space = v_space.id AND t.ticket = p_ticket;
	IF v_turn.ticket IS NULL OR NOT "pawl".stands(v_turn.expires) THEN
		RETURN -1;
	END IF;
	IF v_turn.granted THEN
		RETURN 1;
	END IF;
	IF v_turn.expires < clock_timestamp() + p_patience / 2 * interval '1 ms' THEN
		UPDATE "pawl".turns t SET expires = clock_timestamp() + p_patience * interval '1 ms'
			WHERE t.space = v_space.id AND t.ticket = p_ticket;
	END IF;
	IF EXISTS (
		SELECT FROM "pawl".turns t
		WHERE t.space = v_space.id AND t.ticket < p_ticket AND "pawl".stands(t.expires)
			AND (t.keys = '{}' OR v_turn.keys = '{}' OR t.keys && v_turn.keys))
	THEN
		RETURN 0;
	END IF;
	v_space := "pawl".enter(p_space, v_space.mode);
	RETURN "pawl".grant(v_space.id, p_ticket, p_life)::integer;
END
$$;

-- Ends turns, and grants those that stood behind them: to be told so is all that who
-- waits for one needs. Turns on the whole space are granted by who asks, under the lock
-- of the space. Nothing of it reaches the disk, so that the notifications hold up nobody.
CREATE OR REPLACE FUNCTION "pawl".leave(p_space text, p_tickets bigint[], p_life bigint, p_channel text) RETURNS void LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off AS $$
DECLARE
	v_id bigint;
	v_next bigint;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	SELECT s.id INTO v_id FROM "pawl".spaces s WHERE s.name = p_space;
	DELETE FROM "pawl".turns t WHERE t.space = v_id AND t.ticket = ANY (p_tickets);
	FOR v_next IN
		UPDATE "pawl".turns t SET granted = true, expires = clock_timestamp() + p_life * interval '1 ms'
		WHERE t.space = v_id AND NOT t.granted AND t.keys <> '{}' AND "pawl".stands(t.expires)
			AND NOT EXISTS (
				SELECT FROM "pawl".turns o
				WHERE o.space = v_id AND o.ticket < t.ticket AND "pawl".stands(o.expires)
					AND (o.keys = '{}' OR o.keys && t.keys))
		RETURNING t.ticket
	LOOP
		PERFORM pg_notify(p_channel, 'g' || v_next || ' ' || p_space);
	END LOOP;
	PERFORM pg_notify(p_channel, 't' || p_space);
END
$$;

-- Tells those who watch that spaces have changed. It is called after the commit: a
-- notification inside of it would make all commits of the server queue up.
CREATE OR REPLACE FUNCTION "pawl".tell(p_names text[], p_channel text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	PERFORM pg_notify(p_channel, 'c' || n.name) FROM unnest(p_names) AS n(name);
END
$$;
-- Commits a group of batches in one space, each at a version of its own. What belongs
-- to the batches lies in arrays, one after the other; the arrays p_reads, p_scans and
-- p_writes say how many are whose.
--
-- It answers with a row for each batch: 1 applied, 2 refused before, 3 expired,
-- 4 conflict, 5 waits for a turn, and then the version is the newest ticket that it
-- waits for. Rows of kind 11 and 12 before a conflict name what is stale.
CREATE OR REPLACE FUNCTION "pawl".commit(
	p_space text, p_mode integer, p_lineage text, p_accept boolean, p_keep bigint,
	p_random bytea[], p_began bigint[], p_again boolean[], p_ticket bigint[], p_came bigint[],
	p_reads integer[], p_scans integer[], p_writes integer[],
	p_keys bytea[], p_versions bigint[],
	p_prefixes bytea[], p_uppers bytea[], p_yields integer[], p_yield_keys bytea[], p_yield_versions bigint[],
	p_write_keys bytea[], p_values bytea[]
) RETURNS TABLE (o_kind integer, o_version bigint, o_name bytea) LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
	v_space "pawl".spaces;
	v_head bigint;
	v_fits boolean;
	v_how text;
	v_turns boolean;
	v_durable boolean := false;
	v_known bigint;
	v_refused boolean;
	v_waits bigint;
	v_keys bytea[];
	v_values bytea[];
	v_gone bytea[];
	v_stale boolean;
	v_yields integer[];
	v_read integer := 0;
	v_scan integer := 0;
	v_yield integer := 0;
	v_yielded integer;
	v_write integer := 0;
BEGIN
	v_space := "pawl".enter(p_space, p_mode);
	v_fits := "pawl".fit(v_space, p_lineage, p_accept);
	v_head := v_space.head;
	v_turns := EXISTS (SELECT FROM "pawl".turns t WHERE t.space = v_space.id);
	FOR i IN 1 .. cardinality(p_random) LOOP
		v_keys := p_write_keys[v_write + 1 : v_write + p_writes[i]];
		v_values := p_values[v_write + 1 : v_write + p_writes[i]];
		v_yields := p_yields[v_scan + 1 : v_scan + p_scans[i]];
		v_yielded := 0;
		IF p_scans[i] > 0 THEN
			v_yielded := (SELECT sum(y) FROM unnest(v_yields) y);
		END IF;
		v_waits := NULL;
		v_stale := false;
		o_name := NULL;
		SELECT d.version, d.refused INTO v_known, v_refused
			FROM "pawl".ids d WHERE d.space = v_space.id AND d.random = p_random[i];
		IF v_known > v_head - p_keep THEN
			o_kind := CASE WHEN v_refused THEN 2 ELSE 1 END;
			o_version := v_known;
			v_durable := true;
		ELSIF v_known IS NOT NULL OR p_began[i] < v_head - p_keep THEN
			o_kind := 3;
			o_version := 0;
		ELSE
			IF v_turns THEN
				v_waits := "pawl".turn_before(v_space.id, v_keys, p_ticket[i], p_came[i]);
			END IF;
			IF v_waits IS NOT NULL THEN
				o_kind := 5;
				o_version := v_waits;
			ELSE
				-- What was read must hold still.
				IF p_reads[i] > 0 OR p_scans[i] > 0 THEN
					o_version := 0;
					FOR o_kind, o_name IN SELECT 10 + s.o_kind, s.o_name FROM "pawl".stale(v_space.id,
						p_keys[v_read + 1 : v_read + p_reads[i]], p_versions[v_read + 1 : v_read + p_reads[i]],
						p_prefixes[v_scan + 1 : v_scan + p_scans[i]], p_uppers[v_scan + 1 : v_scan + p_scans[i]], v_yields,
						p_yield_keys[v_yield + 1 : v_yield + v_yielded], p_yield_versions[v_yield + 1 : v_yield + v_yielded]) s
					LOOP
						v_stale := true;
						RETURN NEXT;
					END LOOP;
				END IF;
				o_name := NULL;
				o_kind := CASE WHEN v_stale THEN 4 ELSE 1 END;
				o_version := v_head;
				IF NOT v_stale OR p_again[i] THEN
					-- The next version: that of the commit, or of the refusal.
					v_head := v_head + 1;
					o_version := v_head;
					v_durable := true;
					IF v_stale THEN
						v_keys := '{}';
						v_values := '{}';
					END IF;
					v_gone := '{}';
					IF array_position(v_values, NULL) IS NOT NULL THEN
						v_gone := ARRAY(SELECT w.key FROM unnest(v_keys, v_values) AS w(key, value) WHERE w.value IS NULL);
						v_keys := ARRAY(SELECT w.key FROM unnest(v_keys, v_values) AS w(key, value) WHERE w.value IS NOT NULL);
						v_values := array_remove(v_values, NULL);
						DELETE FROM "pawl".entries e WHERE e.ctid = ANY (ARRAY(
							SELECT d.ctid FROM unnest(v_gone) AS w(key)
							CROSS JOIN LATERAL (SELECT d.ctid FROM "pawl".entries d WHERE d.space = v_space.id AND d.key = w.key LIMIT 1) d));
					END IF;
					INSERT INTO "pawl".ids (space, random, version, refused) VALUES (v_space.id, p_random[i], v_head, v_stale);
					INSERT INTO "pawl".changes (space, version, keys, gone) VALUES (v_space.id, v_head, v_keys, v_gone);
					INSERT INTO "pawl".entries (space, key, version, value)
						SELECT v_space.id, w.key, v_head, w.value FROM unnest(v_keys, v_values) AS w(key, value)
						ON CONFLICT (space, key) DO UPDATE SET version = EXCLUDED.version, value = EXCLUDED.value;
				END IF;
			END IF;
		END IF;
		RETURN NEXT;
		v_read := v_read + p_reads[i];
		v_scan := v_scan + p_scans[i];
		v_yield := v_yield + v_yielded;
		v_write := v_write + p_writes[i];
	END LOOP;
	IF v_head <> v_space.head THEN
		UPDATE "pawl".spaces s SET head = v_head WHERE s.id = v_space.id;
	END IF;
	v_how := "pawl".durability(v_durable);
END
$$;

-- Says how the transaction ends: on disk, and on the standbys that count, also where it
-- only repeats an answer, of which nobody knows how far it had come; or whenever it is
-- convenient, if it has changed nothing. Every commit is durable, asked for or not: who
-- has read one that a crash takes back lives on, and would take another of the same
-- version for it.
CREATE OR REPLACE FUNCTION "pawl".durability(p_durable boolean) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_set text;
BEGIN
	IF NOT p_durable THEN
		v_set := set_config('synchronous_commit', 'off', true);
	ELSIF current_setting('synchronous_commit') IN ('off', 'local', 'remote_write') THEN
		v_set := set_config('synchronous_commit', 'on', true);
	END IF;
	IF current_setting('bytea_output') <> 'hex' THEN
		v_set := set_config('bytea_output', 'hex', true); -- in which keys are named
	END IF;
	IF current_setting('client_min_messages') = 'error' THEN
		v_set := set_config('client_min_messages', 'warning', true);
	END IF;
	RETURN v_set;
END
$$;

-- Forgets IDs and changes that nobody looks for any more. It locks no space.
CREATE OR REPLACE FUNCTION "pawl".trim(p_space text, p_ids bigint, p_changes bigint) RETURNS void LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off AS $$
DECLARE
	v_space "pawl".spaces;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	SELECT * INTO v_space FROM "pawl".spaces s WHERE s.name = p_space;
	DELETE FROM "pawl".ids d WHERE d.space = v_space.id AND d.version <= v_space.head - p_ids;
	DELETE FROM "pawl".changes c WHERE c.space = v_space.id AND c.version <= v_space.head - p_changes;
END
$$;
-- The functions below read one state, that of the statement that calls them. Each
-- answers with rows of these kinds:
--
--	 0 the head (version)
--	-1 a key that was written after the version p_seen, and its version now
--	-2 there may be more such keys: the changes are not kept that far back
--	 n an entry: the n-th key that was asked for, or of a scan
--	-3 the scan was broken off: there may be more entries
CREATE OR REPLACE FUNCTION "pawl".head_since(p_space text, p_seen bigint)
RETURNS TABLE (o_kind integer, o_version bigint, o_key bytea, o_value bytea) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
	v_space "pawl".spaces;
	v_head bigint;
BEGIN
	PERFORM "pawl".primary_only();
	SELECT * INTO v_space FROM "pawl".spaces s WHERE s.name = p_space;
	v_head := coalesce(v_space.head, 0);
	RETURN QUERY SELECT 0, v_head, NULL::bytea, NULL::bytea;
	IF p_seen < 0 OR p_seen = v_head THEN
		RETURN;
	END IF;
	IF NOT EXISTS (SELECT FROM "pawl".changes c WHERE c.space = v_space.id AND c.version = p_seen + 1) THEN
		RETURN QUERY SELECT -2, 0::bigint, NULL::bytea, NULL::bytea;
		RETURN;
	END IF;
	RETURN QUERY SELECT -1, coalesce(e.version, 0), k.key, NULL::bytea
		FROM "pawl".changes c
		CROSS JOIN LATERAL unnest(c.keys || c.gone) AS k(key)
		LEFT JOIN LATERAL (SELECT e.version FROM "pawl".entries e WHERE e.space = v_space.id AND e.key = k.key LIMIT 1) e ON true
		WHERE c.space = v_space.id AND c.version > p_seen;
END
$$;

CREATE OR REPLACE FUNCTION "pawl".get(p_space text, p_seen bigint, p_keys bytea[])
RETURNS TABLE (o_kind integer, o_version bigint, o_key bytea, o_value bytea) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
	v_id bigint := (SELECT s.id FROM "pawl".spaces s WHERE s.name = p_space);
BEGIN
	RETURN QUERY SELECT * FROM "pawl".head_since(p_space, p_seen);
	RETURN QUERY SELECT r.place::integer, e.version, NULL::bytea, e.value
		FROM unnest(p_keys) WITH ORDINALITY AS r(key, place)
		CROSS JOIN LATERAL (SELECT e.version, e.value FROM "pawl".entries e WHERE e.space = v_id AND e.key = r.key LIMIT 1) e;
END
$$;

-- Keys as get, and behind them (n, counted on) the first entries of each of several
-- ranges, at most p_rows.
CREATE OR REPLACE FUNCTION "pawl".peek(p_space text, p_seen bigint, p_keys bytea[], p_froms bytea[], p_uppers bytea[], p_rows integer)
RETURNS TABLE (o_kind integer, o_version bigint, o_key bytea, o_value bytea) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
	v_id bigint := (SELECT s.id FROM "pawl".spaces s WHERE s.name = p_space);
BEGIN
	RETURN QUERY SELECT * FROM "pawl".get(p_space, p_seen, p_keys);
	FOR i IN 1 .. cardinality(p_froms) LOOP
		RETURN QUERY SELECT cardinality(p_keys) + i, e.version, e.key, e.value FROM "pawl".entries e
			WHERE e.space = v_id AND e.key >= p_froms[i] AND e.key < p_uppers[i] ORDER BY e.key LIMIT p_rows;
	END LOOP;
END
$$;

-- Entries from one key on and before another, at most p_rows, and no more once they
-- have p_bytes.
CREATE OR REPLACE FUNCTION "pawl".scan(p_space text, p_seen bigint, p_from bytea, p_upper bytea, p_rows integer, p_bytes bigint)
RETURNS TABLE (o_kind integer, o_version bigint, o_key bytea, o_value bytea) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
	v_id bigint;
	v_rows integer := 0;
	v_bytes bigint := 0;
BEGIN
	RETURN QUERY SELECT * FROM "pawl".head_since(p_space, p_seen);
	SELECT s.id INTO v_id FROM "pawl".spaces s WHERE s.name = p_space;
	FOR o_version, o_key, o_value IN
		SELECT e.version, e.key, e.value FROM "pawl".entries e
		WHERE e.space = v_id AND e.key >= p_from AND e.key < p_upper ORDER BY e.key
	LOOP
		IF v_rows >= p_rows OR v_bytes >= p_bytes THEN
			RETURN QUERY SELECT -3, 0::bigint, NULL::bytea, NULL::bytea;
			RETURN;
		END IF;
		v_rows := v_rows + 1;
		v_bytes := v_bytes + octet_length(o_key) + octet_length(o_value);
		o_kind := v_rows;
		RETURN NEXT;
	END LOOP;
END
$$;

-- The versions after one, in their order, for those who watch: the head (kind 0), then
-- a row for each key written (1) or deleted (2), and one for each version (3) behind
-- its keys; or -2 if they are not kept that far back, and then the version is the
-- oldest that is.
CREATE OR REPLACE FUNCTION "pawl".changes_after(p_space text, p_after bigint)
RETURNS TABLE (o_kind integer, o_version bigint, o_key bytea) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
	v_space "pawl".spaces;
	v_oldest bigint;
	v_keys bytea[];
	v_gone bytea[];
BEGIN
	PERFORM "pawl".primary_only();
	SELECT * INTO v_space FROM "pawl".spaces s WHERE s.name = p_space;
	RETURN QUERY SELECT 0, coalesce(v_space.head, 0), NULL::bytea;
	SELECT c.version INTO v_oldest FROM "pawl".changes c WHERE c.space = v_space.id ORDER BY c.version LIMIT 1;
	IF v_oldest > p_after + 1 THEN
		RETURN QUERY SELECT -2, v_oldest, NULL::bytea;
	END IF;
	FOR o_version, v_keys, v_gone IN
		SELECT c.version, c.keys, c.gone FROM "pawl".changes c
		WHERE c.space = v_space.id AND c.version > p_after ORDER BY c.version
	LOOP
		RETURN QUERY SELECT 1, o_version, k.key FROM unnest(v_keys) AS k(key);
		RETURN QUERY SELECT 2, o_version, k.key FROM unnest(v_gone) AS k(key);
		o_kind := 3;
		o_key := NULL;
		RETURN NEXT;
	END LOOP;
END
$$;

-- The heads of spaces, for those who watch many.
CREATE OR REPLACE FUNCTION "pawl".heads(p_names text[]) RETURNS TABLE (o_name text, o_head bigint) LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
	SELECT s.name, s.head FROM unnest(p_names) AS n(name)
	CROSS JOIN LATERAL (SELECT s.name, s.head FROM "pawl".spaces s WHERE s.name = n.name LIMIT 1) s
$$;
INSERT INTO "pawl".meta (version, commit_ids) VALUES (3, 1000);
