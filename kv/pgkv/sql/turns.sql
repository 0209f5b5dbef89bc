-- Whether a turn stands that ends at a time. None is asked for or granted for more than
-- 2 seconds: one that ends much later was, and then the server's clock was set back.
-- Without that those of processes that are gone would hold up all others until the clock
-- is where it was.
CREATE OR REPLACE FUNCTION pawl.stands(p_expires timestamptz) RETURNS boolean LANGUAGE sql VOLATILE AS $$
	SELECT p_expires > clock_timestamp() AND p_expires < clock_timestamp() + interval '5 seconds'
$$;

-- The newest of the turns that a commit has to wait for, NULL if there is none: those
-- on one of its keys or on the whole space that were asked for before it came (ticket
-- p_came, 0 for a commit that comes now). One that carries a granted turn waits for
-- granted ones only.
CREATE OR REPLACE FUNCTION pawl.turn_before(p_id bigint, p_keys bytea[], p_ticket bigint, p_came bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_holder boolean := EXISTS (
		SELECT FROM pawl.turns t WHERE t.space = p_id AND t.ticket = p_ticket AND t.granted AND pawl.stands(t.expires));
	v_newest bigint;
BEGIN
	SELECT max(t.ticket) INTO v_newest FROM pawl.turns t
		WHERE t.space = p_id AND t.ticket <> p_ticket AND (p_came = 0 OR t.ticket <= p_came)
			AND pawl.stands(t.expires) AND (t.granted OR NOT v_holder)
			AND (t.keys = '{}' OR t.keys && p_keys);
	RETURN v_newest;
END
$$;

-- Asks for a turn, and grants it if nobody stands before it. A ticket that is not
-- granted is held for p_patience, and longer by whoever asks again.
CREATE OR REPLACE FUNCTION pawl.ask(p_space text, p_mode integer, p_keys bytea[], p_life bigint, p_patience bigint)
RETURNS TABLE (o_ticket bigint, o_granted boolean) LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
	v_space pawl.spaces;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	v_space := pawl.enter(p_space, p_mode);
	DELETE FROM pawl.turns t WHERE t.space = v_space.id AND NOT pawl.stands(t.expires);
	INSERT INTO pawl.turns (space, keys, expires)
		VALUES (v_space.id, p_keys, clock_timestamp() + p_patience * interval '1 ms') RETURNING ticket INTO o_ticket;
	o_granted := pawl.grant(v_space.id, o_ticket, p_life);
	RETURN NEXT;
END
$$;

-- Grants a turn that is first: who calls it has locked the space.
CREATE OR REPLACE FUNCTION pawl.grant(p_id bigint, p_ticket bigint, p_life bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_keys bytea[] := (SELECT t.keys FROM pawl.turns t WHERE t.space = p_id AND t.ticket = p_ticket);
BEGIN
	IF EXISTS (
		SELECT FROM pawl.turns t
		WHERE t.space = p_id AND t.ticket < p_ticket AND pawl.stands(t.expires)
			AND (t.keys = '{}' OR v_keys = '{}' OR t.keys && v_keys))
	THEN
		RETURN false;
	END IF;
	UPDATE pawl.turns t SET granted = true, expires = clock_timestamp() + p_life * interval '1 ms'
		WHERE t.space = p_id AND t.ticket = p_ticket;
	RETURN FOUND;
END
$$;

-- Asks again for a turn: 1 granted, 0 not yet, -1 it is gone and must be asked for
-- anew. As long as somebody stands before it nothing is locked.
CREATE OR REPLACE FUNCTION pawl.ask_again(p_space text, p_ticket bigint, p_life bigint, p_patience bigint) RETURNS integer LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off AS $$
DECLARE
	v_space pawl.spaces;
	v_turn pawl.turns;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	SELECT * INTO v_space FROM pawl.spaces s WHERE s.name = p_space;
	SELECT * INTO v_turn FROM pawl.turns t WHERE t.space = v_space.id AND t.ticket = p_ticket;
	IF v_turn.ticket IS NULL OR NOT pawl.stands(v_turn.expires) THEN
		RETURN -1;
	END IF;
	IF v_turn.granted THEN
		RETURN 1;
	END IF;
	IF v_turn.expires < clock_timestamp() + p_patience / 2 * interval '1 ms' THEN
		UPDATE pawl.turns t SET expires = clock_timestamp() + p_patience * interval '1 ms'
			WHERE t.space = v_space.id AND t.ticket = p_ticket;
	END IF;
	IF EXISTS (
		SELECT FROM pawl.turns t
		WHERE t.space = v_space.id AND t.ticket < p_ticket AND pawl.stands(t.expires)
			AND (t.keys = '{}' OR v_turn.keys = '{}' OR t.keys && v_turn.keys))
	THEN
		RETURN 0;
	END IF;
	v_space := pawl.enter(p_space, v_space.mode);
	RETURN pawl.grant(v_space.id, p_ticket, p_life)::integer;
END
$$;

-- Ends turns, and grants those that stood behind them: to be told so is all that who
-- waits for one needs. Turns on the whole space are granted by who asks, under the lock
-- of the space. Nothing of it reaches the disk, so that the notifications hold up nobody.
CREATE OR REPLACE FUNCTION pawl.leave(p_space text, p_tickets bigint[], p_life bigint, p_channel text) RETURNS void LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off AS $$
DECLARE
	v_id bigint;
	v_next bigint;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	SELECT s.id INTO v_id FROM pawl.spaces s WHERE s.name = p_space;
	DELETE FROM pawl.turns t WHERE t.space = v_id AND t.ticket = ANY (p_tickets);
	FOR v_next IN
		UPDATE pawl.turns t SET granted = true, expires = clock_timestamp() + p_life * interval '1 ms'
		WHERE t.space = v_id AND NOT t.granted AND t.keys <> '{}' AND pawl.stands(t.expires)
			AND NOT EXISTS (
				SELECT FROM pawl.turns o
				WHERE o.space = v_id AND o.ticket < t.ticket AND pawl.stands(o.expires)
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
CREATE OR REPLACE FUNCTION pawl.tell(p_names text[], p_channel text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	PERFORM pg_notify(p_channel, 'c' || n.name) FROM unnest(p_names) AS n(name);
END
$$;
