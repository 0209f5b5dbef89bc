-- A commit of kv/pgkv: one write of 512 bytes, each client in a space of its own.
SELECT * FROM pawl.commit('pgbench ' || :client_id, 0, :lineage, true, 100000,
	ARRAY[decode(md5(random()::text || :client_id), 'hex')], '{1099511627776}', '{f}', '{0}', '{0}', '{0}', '{0}', '{1}',
	'{}', '{}', '{}', '{}', '{}', '{}', '{}', ARRAY['k'::bytea], ARRAY[convert_to(repeat(md5(random()::text), 16), 'UTF8')]);
