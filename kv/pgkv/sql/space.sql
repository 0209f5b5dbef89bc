-- A standby is never read: what it shows may be older than what was acknowledged.
CREATE OR REPLACE FUNCTION pawl.primary_only() RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF pg_is_in_recovery() THEN
		RAISE EXCEPTION 'the server is a standby' USING ERRCODE = '25006';
	END IF;
END
$$;

-- Locks the row of a space, and makes it first if there is none. Everything that the
-- caller does after it is done on the newest state: each statement of a function that
-- is VOLATILE has a snapshot of its own, in READ COMMITTED.
CREATE OR REPLACE FUNCTION pawl.enter(p_space text, p_mode integer) RETURNS pawl.spaces LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_space pawl.spaces;
BEGIN
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		RAISE EXCEPTION 'default_transaction_isolation is %, want read committed', current_setting('transaction_isolation')
			USING ERRCODE = 'PW001';
	END IF;
	LOOP
		SELECT * INTO v_space FROM pawl.spaces s WHERE s.name = p_space FOR NO KEY UPDATE;
		EXIT WHEN FOUND;
		INSERT INTO pawl.spaces (name, mode, lineage) VALUES (p_space, p_mode, pawl.lineage())
			ON CONFLICT DO NOTHING;
	END LOOP;
	RETURN v_space;
END
$$;

-- The cluster and the timeline that it writes now; that of the control file is known
-- only at the next checkpoint. The cluster is read from a file, once by each process of
-- the server: it cannot change while one lives.
CREATE OR REPLACE FUNCTION pawl.lineage() RETURNS text LANGUAGE plpgsql STABLE AS $$
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
CREATE OR REPLACE FUNCTION pawl.is_synchronous() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
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
CREATE OR REPLACE FUNCTION pawl.fit(p_space pawl.spaces, p_lineage text, p_accept boolean) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_now text;
BEGIN
	IF p_space.mode = 1 THEN
		IF NOT pawl.is_synchronous() THEN
			RAISE EXCEPTION 'synchronous_standby_names is empty' USING ERRCODE = 'PW002';
		END IF;
		RETURN true;
	END IF;
	v_now := pawl.lineage();
	IF v_now <> p_lineage OR v_now <> p_space.lineage AND NOT p_accept THEN
		RAISE EXCEPTION 'the server is now %, the space was on %', v_now, p_space.lineage USING ERRCODE = 'PW003';
	END IF;
	RETURN true;
END
$$;

-- What is known of a space, and the lineage of the server: one row, also where there is
-- no such space.
CREATE OR REPLACE FUNCTION pawl.look(p_space text)
RETURNS TABLE (o_now text, o_mode integer, o_lineage text, o_store bytea, o_generation bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_space pawl.spaces;
BEGIN
	PERFORM pawl.primary_only();
	SELECT * INTO v_space FROM pawl.spaces s WHERE s.name = p_space;
	RETURN QUERY SELECT pawl.lineage(), v_space.mode, v_space.lineage, v_space.mark_store, coalesce(v_space.mark_generation, 0);
END
$$;

-- Stores what the witness of a space knows: from now on it is well where it is.
CREATE OR REPLACE FUNCTION pawl.save_mark(p_space text, p_mode integer, p_lineage text, p_store bytea, p_generation bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_space pawl.spaces;
BEGIN
	v_space := pawl.enter(p_space, p_mode);
	PERFORM pawl.fit(v_space, p_lineage, true);
	IF v_space.mark_store = p_store AND v_space.mark_generation > p_generation THEN
		RETURN;
	END IF;
	UPDATE pawl.spaces s SET mark_store = p_store, mark_generation = p_generation, lineage = p_lineage WHERE s.id = v_space.id;
	PERFORM pawl.durability(true);
END
$$;

-- Gives a space another mode, while the server waits for standbys and all is well.
CREATE OR REPLACE FUNCTION pawl.set_mode(p_space text, p_mode integer, p_lineage text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_space pawl.spaces;
BEGIN
	v_space := pawl.enter(p_space, p_mode);
	PERFORM pawl.fit(v_space, p_lineage, false);
	IF NOT pawl.is_synchronous() THEN
		RAISE EXCEPTION 'synchronous_standby_names is empty' USING ERRCODE = 'PW002';
	END IF;
	UPDATE pawl.spaces s SET mode = p_mode, lineage = p_lineage WHERE s.id = v_space.id;
	PERFORM pawl.durability(true);
END
$$;

-- The names of the spaces that begin with a text, in their order.
CREATE OR REPLACE FUNCTION pawl.spaces_named(p_prefix text) RETURNS TABLE (o_name text) LANGUAGE sql STABLE AS $$
	SELECT s.name FROM pawl.spaces s WHERE starts_with(s.name, p_prefix) AND s.head > 0 ORDER BY s.name
$$;

-- Gives a space another name, and says whether there was one; that of one which holds
-- nothing may be taken.
CREATE OR REPLACE FUNCTION pawl.rename(p_space text, p_to text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	DELETE FROM pawl.spaces s WHERE s.name = p_to AND s.head = 0;
	UPDATE pawl.spaces s SET name = p_to WHERE s.name = p_space;
	RETURN FOUND;
END
$$;

-- Removes a space with all that is in it.
CREATE OR REPLACE FUNCTION pawl.remove(p_space text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_id bigint;
BEGIN
	DELETE FROM pawl.spaces s WHERE s.name = p_space RETURNING s.id INTO v_id;
	DELETE FROM pawl.entries e WHERE e.space = v_id;
	DELETE FROM pawl.ids d WHERE d.space = v_id;
	DELETE FROM pawl.changes c WHERE c.space = v_id;
	DELETE FROM pawl.turns t WHERE t.space = v_id;
END
$$;
