package main

// postgresMutants break the engine on PostgreSQL. They need a server to be noticed.
var postgresMutants = []mutant{
	{
		name: "a commit on PostgreSQL does not lock its space",
		file: "kv/pgkv/sql/space.sql",
		old:  "WHERE s.name = p_space FOR NO KEY UPDATE;", new: "WHERE s.name = p_space;",
		pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "PostgreSQL forgets which batches were refused",
		file: "kv/pgkv/sql/commit.sql",
		old:  "IF NOT v_stale OR p_again[i] THEN", new: "IF NOT v_stale THEN",
		pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "PostgreSQL does not look whether a scan has missed something",
		file: "kv/pgkv/sql/check.sql",
		old:  "IF v_there <> p_yields[i] OR v_same", new: "IF v_same",
		pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "a commit on PostgreSQL does not wait for turns of other processes",
		file: "kv/pgkv/sql/commit.sql",
		old:  "IF v_turns THEN", new: "IF false THEN",
		pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "a view of PostgreSQL moves on whatever has changed",
		file: "kv/pgkv/snapshot.go",
		old:  "case kind == -1 && !n.returned.Stands(string(r[2]), version), ", new: "case ",
		pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "an error that ends the connection is taken for a refusal",
		file: "kv/pgkv/errors.go",
		old:  `if e.SeverityUnlocalized == "ERROR" {`, new: `if e.SeverityUnlocalized != "" {`,
		pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "a commit that no standby may have is taken for one that the quorum has",
		file: "kv/pgkv/db.go",
		old:  "if heard.notReplicated {", new: "if heard.notReplicated && false {",
		test: "TestReplicationWaitCancelled", pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "PostgreSQL does not notice that another server has taken its place",
		file: "kv/pgkv/sql/space.sql",
		old:  "IF v_now <> p_lineage OR v_now <> p_space.lineage AND NOT p_accept THEN", new: "IF false THEN",
		test: "TestPromotedTimeline|TestRestoredDump", pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "PostgreSQL takes IDs that it has dropped for new ones",
		file: "kv/pgkv/sql/commit.sql",
		old:  "ELSIF v_known IS NOT NULL OR p_began[i] < v_head - p_keep THEN", new: "ELSIF false THEN",
		pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "a standby of PostgreSQL is read",
		file: "kv/pgkv/sql/space.sql",
		old:  "IF pg_is_in_recovery() THEN", new: "IF false THEN",
		test: "TestStandby", pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "a turn on PostgreSQL from before its clock was set back holds others up",
		file: "kv/pgkv/sql/turns.sql",
		old:  " AND p_expires < clock_timestamp() + interval '5 seconds'", new: "",
		test: "TestTurnsThatStand", pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "a process on PostgreSQL keeps the turns for itself",
		file: "kv/pgkv/turns.go",
		old:  "!there || held.left == 0 || ", new: "!there || ",
		test: "TestTicketsServeSeveralTurns", pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "a ticket on PostgreSQL that is passed on to nobody stays",
		file: "kv/pgkv/turns.go",
		old:  "go q.drop(turn.ID)", new: "_ = q.drop",
		test: "TestTicketsPassedOnToNobody", pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "the schema of PostgreSQL is raised by several at once",
		file: "kv/pgkv/raise.go",
		old:  "SELECT pg_advisory_xact_lock(", new: "SELECT (",
		test: "TestRaiseAtOnce", pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "a newer schema of PostgreSQL is used as if it were known",
		file: "kv/pgkv/schema.go",
		old:  "if is.version > d.set.version {", new: "if false {",
		test: "TestRaise$", pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "what is raised in a schema of PostgreSQL is not its owner's",
		file: "kv/pgkv/raise.go",
		old:  "IF v_owner <> current_user THEN", new: "IF false THEN",
		test: "TestRaiseRights", pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "a schema of PostgreSQL is raised without its functions",
		file: "kv/pgkv/raise.go",
		old:  "for _, name := range functions {", new: "for _, name := range functions[:3] {",
		test: "TestRaise$", pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "a view of PostgreSQL forgets what it has looked at",
		file: "kv/pgkv/snapshot.go",
		old:  "n.returned.Begin(prefixes[i], begun[i])", new: "_ = n.returned.Begin",
		test: "TestConformance$/snapshot", pkgs: []string{"./kv/pgkv"},
	},
}
