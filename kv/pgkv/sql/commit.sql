-- Commits a group of batches in one space, each at a version of its own. What belongs
-- to the batches lies in arrays, one after the other; the arrays p_reads, p_scans and
-- p_writes say how many are whose.
--
-- It answers with a row for each batch: 1 applied, 2 refused before, 3 expired,
-- 4 conflict, 5 waits for a turn, and then the version is the newest ticket that it
-- waits for. Rows of kind 11 and 12 before a conflict name what is stale.
CREATE OR REPLACE FUNCTION pawl.commit(
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
	v_batches integer := cardinality(p_random);
	v_id bigint;
	v_mode integer;
	v_lineage text;
	v_reserved bigint;
	v_head bigint;
	v_fits boolean;
	v_how text;
	v_plain boolean;
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
	-- The row is locked by giving it the version that it has if all is applied: most often
	-- that is so, and it is written once.
	LOOP
		IF current_setting('transaction_isolation') = 'read committed' THEN
			UPDATE pawl.spaces s SET head = s.head + v_batches WHERE s.name = p_space
				RETURNING s.id, s.mode, s.lineage, s.head INTO v_id, v_mode, v_lineage, v_reserved;
			EXIT WHEN FOUND;
		END IF;
		v_id := (pawl.enter(p_space, p_mode)).id; -- makes it, or refuses
	END LOOP;
	IF v_mode <> 0 OR p_lineage <> v_lineage
		OR current_setting('pawlkv.system', true) || '/' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) IS DISTINCT FROM p_lineage
	THEN
		v_fits := pawl.fit((SELECT s FROM pawl.spaces s WHERE s.id = v_id), p_lineage, p_accept);
	END IF;

	-- One batch, of which nothing is to be decided, as most often: each decision, call and
	-- copy of an array below takes a good part of what it takes to write a row.
	IF v_batches = 1 AND p_scans[1] = 0 AND p_began[1] >= v_reserved - 1 - p_keep AND array_position(p_values, NULL) IS NULL THEN
		SELECT NOT EXISTS (SELECT FROM pawl.turns t WHERE t.space = v_id)
			AND NOT EXISTS (SELECT FROM pawl.ids d WHERE d.space = v_id AND d.random = p_random[1])
			AND NOT EXISTS (
				SELECT FROM unnest(p_keys, p_versions) AS r(key, version)
				LEFT JOIN LATERAL (SELECT e.version FROM pawl.entries e WHERE e.space = v_id AND e.key = r.key LIMIT 1) e ON true
				WHERE coalesce(e.version, 0) <> r.version)
			INTO v_plain;
		IF v_plain THEN
			INSERT INTO pawl.ids (space, random, version, refused) VALUES (v_id, p_random[1], v_reserved, false);
			INSERT INTO pawl.changes (space, version, keys, gone) VALUES (v_id, v_reserved, p_write_keys, '{}');
			INSERT INTO pawl.entries (space, key, version, value)
				SELECT v_id, w.key, v_reserved, w.value FROM unnest(p_write_keys, p_values) AS w(key, value)
				ON CONFLICT (space, key) DO UPDATE SET version = EXCLUDED.version, value = EXCLUDED.value;
			IF current_setting('synchronous_commit') <> 'on' OR current_setting('client_min_messages') = 'error' THEN
				v_how := pawl.durability(true);
			END IF;
			o_kind := 1;
			o_version := v_reserved;
			RETURN NEXT;
			RETURN;
		END IF;
	END IF;

	v_head := v_reserved - v_batches;
	v_turns := EXISTS (SELECT FROM pawl.turns t WHERE t.space = v_id);
	FOR i IN 1 .. v_batches LOOP
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
			FROM pawl.ids d WHERE d.space = v_id AND d.random = p_random[i];
		IF v_known > v_head - p_keep THEN
			o_kind := CASE WHEN v_refused THEN 2 ELSE 1 END;
			o_version := v_known;
			v_durable := true;
		ELSIF v_known IS NOT NULL OR p_began[i] < v_head - p_keep THEN
			o_kind := 3;
			o_version := 0;
		ELSE
			IF v_turns THEN
				v_waits := pawl.turn_before(v_id, v_keys, p_ticket[i], p_came[i]);
			END IF;
			IF v_waits IS NOT NULL THEN
				o_kind := 5;
				o_version := v_waits;
			ELSE
				-- What was read must hold still.
				IF p_reads[i] > 0 OR p_scans[i] > 0 THEN
					o_version := 0;
					FOR o_kind, o_name IN SELECT 10 + s.o_kind, s.o_name FROM pawl.stale(v_id,
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
						DELETE FROM pawl.entries e WHERE e.ctid = ANY (ARRAY(
							SELECT d.ctid FROM unnest(v_gone) AS w(key)
							CROSS JOIN LATERAL (SELECT d.ctid FROM pawl.entries d WHERE d.space = v_id AND d.key = w.key LIMIT 1) d));
					END IF;
					INSERT INTO pawl.ids (space, random, version, refused) VALUES (v_id, p_random[i], v_head, v_stale);
					INSERT INTO pawl.changes (space, version, keys, gone) VALUES (v_id, v_head, v_keys, v_gone);
					INSERT INTO pawl.entries (space, key, version, value)
						SELECT v_id, w.key, v_head, w.value FROM unnest(v_keys, v_values) AS w(key, value)
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
	IF v_head <> v_reserved THEN
		UPDATE pawl.spaces s SET head = v_head WHERE s.id = v_id;
	END IF;
	v_how := pawl.durability(v_durable);
END
$$;

-- Says how the transaction ends: on disk, and on the standbys that count, also where it
-- only repeats an answer, of which nobody knows how far it had come; or whenever it is
-- convenient, if it has changed nothing. Every commit is durable, asked for or not: who
-- has read one that a crash takes back lives on, and would take another of the same
-- version for it.
CREATE OR REPLACE FUNCTION pawl.durability(p_durable boolean) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
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
CREATE OR REPLACE FUNCTION pawl.trim(p_space text, p_ids bigint, p_changes bigint) RETURNS void LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off AS $$
DECLARE
	v_space pawl.spaces;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	SELECT * INTO v_space FROM pawl.spaces s WHERE s.name = p_space;
	DELETE FROM pawl.ids d WHERE d.space = v_space.id AND d.version <= v_space.head - p_ids;
	DELETE FROM pawl.changes c WHERE c.space = v_space.id AND c.version <= v_space.head - p_changes;
END
$$;
