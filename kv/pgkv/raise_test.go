//go:build linux || darwin

package pgkv_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// schemaSums are of what makes each version of the schema: who changes a script in sql
// makes a version, with a script in sql/raise that may be empty, and a sum here.
var schemaSums = map[int64]string{
	2: "427cb637adccfe6e",
	3: "00ae6a9c21024976",
	4: "071a8a07946a18f7",
}

func TestEachChangeIsAVersion(t *testing.T) {
	script, err := openDB(t).Script()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(script))
	if got, want := hex.EncodeToString(sum[:8]), schemaSums[pgkv.SchemaVersion]; got != want && os.Getenv("PAWL_MUTANT") == "" { // a flaw on purpose is to be found by what it does
		t.Errorf("version %d of the schema is made by %s, want %q: a change of sql makes another version", pgkv.SchemaVersion, got, want)
	}
}

// older are schemas as programs of before made them, and the versions that those knew: of
// version 1 the first and the last.
var older = map[string]int64{"1-first": 1, "1-last": 1, "3": 3}

// makeOlder makes a schema as an older program did, on a server.
func makeOlder(t *testing.T, s *pgtest.Server, which, schema string) {
	t.Helper()
	script, err := os.ReadFile("testdata/schema/" + which + ".sql")
	if err != nil {
		t.Fatal(err)
	}
	s.SQL(t, strings.ReplaceAll(string(script), `"pawl"`, `"`+schema+`"`))
}

// olderProgram opens a schema as a program that knows no later version than one.
func olderProgram(t *testing.T, s *pgtest.Server, schema string, version int64) *pgkv.DB {
	t.Helper()
	return openOn(t, s, pgkv.WithSchema(schema), pgkv.WithVersion(version))
}

// row returns the one row of a query, a text each.
func row(t *testing.T, s *pgtest.Server, query string) (all []string) {
	t.Helper()
	conn := s.Connect(t)
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), query)
	if err == nil {
		all, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return all
}

func versionOf(t *testing.T, s *pgtest.Server, schema string) string {
	t.Helper()
	return row(t, s, "SELECT version::text FROM "+schema+".meta")[0]
}

// described is all that there is in a schema, under another name.
func described(t *testing.T, s *pgtest.Server, schema string) []string {
	t.Helper()
	all := slices.Concat(
		row(t, s, "SELECT pg_get_functiondef(p.oid) || pg_get_userbyid(p.proowner) FROM pg_proc p WHERE p.pronamespace = '"+schema+"'::regnamespace"),
		row(t, s, "SELECT format('%s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default) FROM information_schema.columns WHERE table_schema = '"+schema+"'"),
		row(t, s, "SELECT indexdef FROM pg_indexes WHERE schemaname = '"+schema+"'"),
		row(t, s, "SELECT format('%s %s %s', relname, reloptions, relpersistence) FROM pg_class WHERE relnamespace = '"+schema+"'::regnamespace"))
	for i := range all {
		all[i] = strings.ReplaceAll(all[i], schema, "pawl")
	}
	slices.Sort(all)
	return all
}

// TestRaise: a schema that an older program made becomes what a new one is, with all
// that was in it; who had it open goes on, and can open it no more.
func TestRaise(t *testing.T) {
	s := server.Get(t)
	openDB(t, pgkv.WithSchema("raise_new"))
	fresh := described(t, s, "raise_new")
	for which, version := range older {
		t.Run(which, func(t *testing.T) {
			schema := "raise_" + strings.ReplaceAll(which, "-", "_")
			makeOlder(t, s, which, schema)
			before := olderProgram(t, s, schema, version).Store("s")
			first := mustCommit(t, before, put(0, "a", "1"))
			after := openOn(t, s, pgkv.WithSchema(schema))
			if got := versionOf(t, s, schema); got != fmt.Sprint(pgkv.SchemaVersion) {
				t.Errorf("version %s after it was raised, want %d", got, pgkv.SchemaVersion)
			}
			store := after.Store("s")
			if got := read(t, store, "a"); string(got.Value) != "1" || got.Version != first {
				t.Errorf("an entry of before is %+v, want 1 at %d", got, first)
			}
			if limits := store.Limits(); limits.CommitIDs != 1000 {
				t.Errorf("%d IDs are kept, want the 1000 of before", limits.CommitIDs)
			}
			second := mustCommit(t, before, put(first, "a", "2", kv.Read{Key: "a", Version: first}))
			if got := read(t, store, "a"); string(got.Value) != "2" || got.Version != second {
				t.Errorf("what an older program commits is %+v, want 2 at %d", got, second)
			}
			if err := everything(t, after); err != nil {
				t.Error(err)
			}
			if _, err := pgkv.Open(t.Context(), openPool(t, s.URL(pgtest.Superuser, "postgres"), nil), pgkv.WithSchema(schema), pgkv.WithVersion(version)); !errors.Is(err, kv.ErrNewer) ||
				!strings.Contains(err.Error(), fmt.Sprintf("it has version %d, this program knows %d", pgkv.SchemaVersion, version)) {
				t.Errorf("an older program opens it: %v, want %v with both versions", err, kv.ErrNewer)
			}
			if raised := described(t, s, schema); !slices.Equal(raised, fresh) {
				t.Errorf("a schema that was raised is not as a new one:\n%s\nwant\n%s", strings.Join(raised, "\n"), strings.Join(fresh, "\n"))
			}
		})
	}
}

// TestRaiseAtOnce: several raise a schema at once, while older programs go on to commit
// in it: each opens it, and no commit fails.
func TestRaiseAtOnce(t *testing.T) {
	s := server.Get(t)
	const schema = "raise_at_once"
	makeOlder(t, s, "1-last", schema)
	working, stop := context.WithCancel(t.Context())
	defer stop()
	var writers, openers errgroup.Group
	begun := make(chan bool, 100)
	var made [2]kv.Version
	for i := range made {
		store := olderProgram(t, s, schema, 1).Store(fmt.Sprint(i))
		writers.Go(func() error {
			for working.Err() == nil {
				version, err := store.Commit(t.Context(), put(made[i], "k", "1", kv.Read{Key: "k", Version: made[i]}))
				if err != nil {
					return err
				}
				made[i] = version
				select {
				case begun <- true:
				default:
				}
			}
			return nil
		})
	}
	<-begun
	for range 8 {
		openers.Go(func() error {
			pool, err := newPool(t.Context(), s.URL(pgtest.Superuser, "postgres"))
			if err != nil {
				return err
			}
			defer pool.Close()
			db, err := pgkv.Open(t.Context(), pool, pgkv.WithWitnesses(""), pgkv.WithSchema(schema))
			if err != nil {
				return err
			}
			defer db.Close()
			_, err = db.Store("new").Commit(t.Context(), put(0, "k", "1"))
			return err
		})
	}
	if err := openers.Wait(); err != nil {
		t.Errorf("one of those who raise it: %v", err)
	}
	for range cap(begun) + 1 { // some more of them
		<-begun
	}
	stop()
	if err := writers.Wait(); err != nil {
		t.Fatalf("an older program that had it open: %v", err)
	}
	db := openOn(t, s, pgkv.WithSchema(schema))
	for i, version := range made {
		if got := read(t, db.Store(fmt.Sprint(i)), "k"); got.Version != version {
			t.Errorf("writer %d left %d, want %d", i, got.Version, version)
		}
	}
	if got := read(t, db.Store("new"), "k"); got.Version != 8 {
		t.Errorf("eight commits of those who raised it ended at %d", got.Version)
	}
}

// TestRaiseRights: who may only use a schema cannot raise it, and is told who can; what
// the superuser raises is the owner's afterwards, who can raise it the next time.
func TestRaiseRights(t *testing.T) {
	s := pgtest.Start(t)
	s.SQL(t, "CREATE ROLE owner LOGIN", "CREATE ROLE app LOGIN", "GRANT CREATE ON DATABASE postgres TO owner")
	makeOlder(t, s, "1-last", "pawl")
	s.SQL(t, "ALTER SCHEMA pawl OWNER TO owner")
	for _, change := range row(t, s, `SELECT format('ALTER TABLE %s OWNER TO owner', oid::regclass) FROM pg_class WHERE relnamespace = 'pawl'::regnamespace AND relkind = 'r'
		UNION ALL SELECT format('ALTER FUNCTION %s OWNER TO owner', oid::regprocedure) FROM pg_proc WHERE pronamespace = 'pawl'::regnamespace`) {
		s.SQL(t, change)
	}
	s.SQL(t, grants(t)...)
	open := func(role string) (*pgkv.DB, error) {
		return pgkv.Open(t.Context(), openPool(t, s.URL(role, "postgres"), nil), pgkv.WithWitnesses(""))
	}
	_, err := open("app")
	if !errors.Is(err, kv.ErrUnusable) || !strings.Contains(err.Error(), fmt.Sprintf("it has version 1, and this program needs %d: open it once as \"owner\"", pgkv.SchemaVersion)) {
		t.Errorf("who may not raise it: %v, want %v that names the owner", err, kv.ErrUnusable)
	}
	if got := versionOf(t, s, "pawl"); got != "1" {
		t.Errorf("who may not raise it left version %s", got)
	}
	for _, role := range []string{pgtest.Superuser, "owner"} {
		s.SQL(t, "UPDATE pawl.meta SET version = 1")
		db, err := open(role)
		if err != nil {
			t.Fatalf("%s: %v", role, err)
		}
		defer db.Close()
		if got := versionOf(t, s, "pawl"); got != fmt.Sprint(pgkv.SchemaVersion) {
			t.Errorf("%s has raised it to %s, want %d", role, got, pgkv.SchemaVersion)
		}
		if others := row(t, s, "SELECT proname::text FROM pg_proc WHERE pronamespace = 'pawl'::regnamespace AND pg_get_userbyid(proowner) <> 'owner'"); len(others) > 0 {
			t.Errorf("%s has left functions that the owner cannot raise: %v", role, others)
		}
	}
	db, err := open("app")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := everything(t, db); err != nil {
		t.Errorf("with the rights of before: %v", err)
	}
}
