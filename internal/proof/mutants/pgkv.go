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
		file: "kv/pgkv/returned.go",
		old:  "if was, seen := r.reads[key]; seen && was != version {", new: "if _, seen := r.reads[key]; seen && false {",
		pkgs: []string{"./kv/pgkv"},
	},
	{
		name: "an error that ends the connection is taken for a refusal",
		file: "kv/pgkv/errors.go",
		old:  `if e.SeverityUnlocalized == "ERROR" {`, new: `if e.SeverityUnlocalized != "" {`,
		pkgs: []string{"./kv/pgkv"},
	},
}
