-- The functions below read one state, that of the statement that calls them. Each
-- answers with rows of these kinds:
--
--	 0 the head (version)
--	-1 a key that was written after the version p_seen, and its version now
--	-2 there may be more such keys: the changes are not kept that far back
--	 n an entry: the n-th key that was asked for, or of a scan
--	-3 the scan was broken off: there may be more entries
CREATE OR REPLACE FUNCTION pawl.head_since(p_space text, p_seen bigint)
RETURNS TABLE (o_kind integer, o_version bigint, o_key bytea, o_value bytea) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
	v_space pawl.spaces;
	v_head bigint;
BEGIN
	PERFORM pawl.primary_only();
	SELECT * INTO v_space FROM pawl.spaces s WHERE s.name = p_space;
	v_head := coalesce(v_space.head, 0);
	RETURN QUERY SELECT 0, v_head, NULL::bytea, NULL::bytea;
	IF p_seen < 0 OR p_seen = v_head THEN
		RETURN;
	END IF;
	IF NOT EXISTS (SELECT FROM pawl.changes c WHERE c.space = v_space.id AND c.version = p_seen + 1) THEN
		RETURN QUERY SELECT -2, 0::bigint, NULL::bytea, NULL::bytea;
		RETURN;
	END IF;
	RETURN QUERY SELECT -1, coalesce(e.version, 0), k.key, NULL::bytea
		FROM pawl.changes c
		CROSS JOIN LATERAL unnest(c.keys || c.gone) AS k(key)
		LEFT JOIN LATERAL (SELECT e.version FROM pawl.entries e WHERE e.space = v_space.id AND e.key = k.key LIMIT 1) e ON true
		WHERE c.space = v_space.id AND c.version > p_seen;
END
$$;

CREATE OR REPLACE FUNCTION pawl.get(p_space text, p_seen bigint, p_keys bytea[])
RETURNS TABLE (o_kind integer, o_version bigint, o_key bytea, o_value bytea) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
	v_id bigint := (SELECT s.id FROM pawl.spaces s WHERE s.name = p_space);
BEGIN
	RETURN QUERY SELECT * FROM pawl.head_since(p_space, p_seen);
	RETURN QUERY SELECT r.place::integer, e.version, NULL::bytea, e.value
		FROM unnest(p_keys) WITH ORDINALITY AS r(key, place)
		CROSS JOIN LATERAL (SELECT e.version, e.value FROM pawl.entries e WHERE e.space = v_id AND e.key = r.key LIMIT 1) e;
END
$$;

-- Keys as get, and behind them (n, counted on) the first entries of each of several
-- ranges, at most p_rows.
CREATE OR REPLACE FUNCTION pawl.peek(p_space text, p_seen bigint, p_keys bytea[], p_froms bytea[], p_uppers bytea[], p_rows integer)
RETURNS TABLE (o_kind integer, o_version bigint, o_key bytea, o_value bytea) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
	v_id bigint := (SELECT s.id FROM pawl.spaces s WHERE s.name = p_space);
BEGIN
	RETURN QUERY SELECT * FROM pawl.get(p_space, p_seen, p_keys);
	FOR i IN 1 .. cardinality(p_froms) LOOP
		RETURN QUERY SELECT cardinality(p_keys) + i, e.version, e.key, e.value FROM pawl.entries e
			WHERE e.space = v_id AND e.key >= p_froms[i] AND e.key < p_uppers[i] ORDER BY e.key LIMIT p_rows;
	END LOOP;
END
$$;

-- Entries from one key on and before another, at most p_rows, and no more once they
-- have p_bytes.
CREATE OR REPLACE FUNCTION pawl.scan(p_space text, p_seen bigint, p_from bytea, p_upper bytea, p_rows integer, p_bytes bigint)
RETURNS TABLE (o_kind integer, o_version bigint, o_key bytea, o_value bytea) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
	v_id bigint;
	v_rows integer := 0;
	v_bytes bigint := 0;
BEGIN
	RETURN QUERY SELECT * FROM pawl.head_since(p_space, p_seen);
	SELECT s.id INTO v_id FROM pawl.spaces s WHERE s.name = p_space;
	FOR o_version, o_key, o_value IN
		SELECT e.version, e.key, e.value FROM pawl.entries e
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
CREATE OR REPLACE FUNCTION pawl.changes_after(p_space text, p_after bigint)
RETURNS TABLE (o_kind integer, o_version bigint, o_key bytea) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
	v_space pawl.spaces;
	v_oldest bigint;
	v_keys bytea[];
	v_gone bytea[];
BEGIN
	PERFORM pawl.primary_only();
	SELECT * INTO v_space FROM pawl.spaces s WHERE s.name = p_space;
	RETURN QUERY SELECT 0, coalesce(v_space.head, 0), NULL::bytea;
	SELECT c.version INTO v_oldest FROM pawl.changes c WHERE c.space = v_space.id ORDER BY c.version LIMIT 1;
	IF v_oldest > p_after + 1 THEN
		RETURN QUERY SELECT -2, v_oldest, NULL::bytea;
	END IF;
	FOR o_version, v_keys, v_gone IN
		SELECT c.version, c.keys, c.gone FROM pawl.changes c
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
CREATE OR REPLACE FUNCTION pawl.heads(p_names text[]) RETURNS TABLE (o_name text, o_head bigint) LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
	SELECT s.name, s.head FROM unnest(p_names) AS n(name)
	CROSS JOIN LATERAL (SELECT s.name, s.head FROM pawl.spaces s WHERE s.name = n.name LIMIT 1) s
$$;
