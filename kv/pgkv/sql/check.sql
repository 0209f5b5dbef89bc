-- Each key is looked up by itself (a LIMIT within LATERAL keeps it so): whatever is known
-- of the size of a table when a plan is made, which is kept for long, no plan compares
-- all keys with all.

-- What of a batch's reads (kind 1) and scans (kind 2) holds no longer. The arrays
-- yields say how many of the keys and versions after them belong to each prefix.
CREATE OR REPLACE FUNCTION pawl.stale(
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
			LEFT JOIN LATERAL (SELECT e.version FROM pawl.entries e WHERE e.space = p_id AND e.key = r.key LIMIT 1) e ON true
			WHERE coalesce(e.version, 0) <> r.version;
	END IF;
	FOR i IN 1 .. cardinality(p_prefixes) LOOP
		SELECT count(*) INTO v_there FROM pawl.entries e
			WHERE e.space = p_id AND e.key >= p_prefixes[i] AND e.key < p_uppers[i];
		SELECT count(*) INTO v_same
			FROM unnest(p_yield_keys[v_from + 1 : v_from + p_yields[i]], p_yield_versions[v_from + 1 : v_from + p_yields[i]]) AS y(key, version)
			CROSS JOIN LATERAL (SELECT e.version FROM pawl.entries e WHERE e.space = p_id AND e.key = y.key LIMIT 1) e
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
CREATE OR REPLACE FUNCTION pawl.holds(
	p_space text, p_keys bytea[], p_versions bigint[],
	p_prefixes bytea[], p_uppers bytea[], p_yields integer[], p_yield_keys bytea[], p_yield_versions bigint[]
) RETURNS TABLE (o_kind integer, o_version bigint, o_name bytea) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
	v_id bigint := 0;
	v_head bigint := 0;
BEGIN
	PERFORM pawl.primary_only();
	SELECT s.id, s.head INTO v_id, v_head FROM pawl.spaces s WHERE s.name = p_space;
	RETURN QUERY SELECT 0, coalesce(v_head, 0), NULL::bytea;
	RETURN QUERY SELECT s.o_kind, 0::bigint, s.o_name
		FROM pawl.stale(coalesce(v_id, 0), p_keys, p_versions, p_prefixes, p_uppers, p_yields, p_yield_keys, p_yield_versions) s;
END
$$;
