package pgkv

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pawlkv/pawl/kv"
)

// The schema is made as it was in version 1, and raised by what is in raise, a script a
// version, whoever makes or raises it: so there is one way to each version. Functions
// are those of the newest, and replaced whenever it is raised.
//
//go:embed sql
var sqlFiles embed.FS

// functions are the scripts that say CREATE OR REPLACE, in this order. A function whose
// answer is of another type than before has to be dropped by the script of its version.
// One that takes something else is another function and has another number of arguments:
// that of before stays for programs that are connected, until the version after.
var functions = []string{"space.sql", "check.sql", "turns.sql", "commit.sql", "read.sql"}

// raise makes the schema, or raises it, unless another has while we waited for the lock.
// All of it is one message, which the server begins when it has all of it: who is
// stopped or killed meanwhile holds up nobody, and leaves the schema as it was, or
// raised.
func (d *DB) raise(ctx context.Context, pg *pgconn.PgConn, from standing) error {
	script, err := d.script()
	if err != nil {
		return err
	}
	if _, err := ask(ctx, pg, script); err != nil {
		return d.notRaised(from, err)
	}
	is, err := d.look(ctx, pg, "")
	if err == nil && is.version != d.set.version {
		err = fmt.Errorf("%w: it is of version %d after it was raised to %d", kv.ErrForeign, is.version, d.set.version)
	}
	if err == nil && from.version > 0 {
		d.set.logger.Info("the schema was raised: older programs cannot open it any more",
			slog.String("schema", d.set.schema), slog.Int64("from", from.version), slog.Int64("to", is.version))
	}
	return err
}

// notRaised says who can raise a schema, to who cannot.
func (d *DB) notRaised(from standing, err error) error {
	if from.version > 0 && errors.Is(err, kv.ErrUnusable) {
		return fmt.Errorf("it has version %d, and this program needs %d: open it once as %q, who owns it, to raise it: %w",
			from.version, d.set.version, from.owner, err)
	}
	return err
}

// script makes the schema or raises it, under a lock that is there without it. As its
// owner, so that all in it belongs to one who may raise it the next time.
func (d *DB) script() (string, error) {
	var text strings.Builder
	text.WriteString("SET TRANSACTION ISOLATION LEVEL READ COMMITTED;\n" +
		"SELECT pg_advisory_xact_lock(hashtextextended('pawl schema ' || '" + d.schema + "', 0));\n" +
		"DO $raise$\nDECLARE\n\tv_owner text;\n\tv_version integer;\nBEGIN\n")
	tables, err := d.sql("tables.sql")
	if err != nil {
		return "", err
	}
	first := fmt.Sprintf("CREATE SCHEMA IF NOT EXISTS %s;\n%sINSERT INTO %s.meta (version, commit_ids) VALUES (0, %d);\n",
		d.schema, tables, d.schema, d.set.commitIDs)
	fmt.Fprintf(&text, "IF to_regclass('%s.meta') IS NULL THEN\n%sEND IF;\n", d.schema, execute(first))
	fmt.Fprintf(&text, "v_version := (SELECT version FROM %s.meta);\n", d.schema)
	fmt.Fprintf(&text, "IF v_version >= %d THEN\n\tRETURN;\nEND IF;\n", d.set.version)
	fmt.Fprintf(&text, "v_owner := (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = '%s.meta'::regclass);\n", d.schema)
	text.WriteString("IF v_owner <> current_user THEN\n\tEXECUTE format('SET LOCAL ROLE %I', v_owner);\nEND IF;\n")
	for version := int64(2); version <= d.set.version; version++ {
		step, err := d.sql(fmt.Sprintf("raise/%d.sql", version))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "IF v_version < %d THEN\n%sEND IF;\n", version, execute(step))
	}
	for _, name := range functions {
		script, err := d.sql(name)
		if err != nil {
			return "", err
		}
		text.WriteString(execute(script))
	}
	fmt.Fprintf(&text, "UPDATE %s.meta SET version = %d;\nEND\n$raise$", d.schema, d.set.version)
	return text.String(), nil
}

// execute is the statement that runs others in a block.
func execute(statements string) string { return "EXECUTE $step$\n" + statements + "$step$;\n" }

// sql is a script, about the schema of this database.
func (d *DB) sql(name string) (string, error) {
	script, err := sqlFiles.ReadFile("sql/" + name)
	return strings.ReplaceAll(string(script), "pawl.", d.schema+"."), err
}
