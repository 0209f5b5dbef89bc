// Package pgkv is the kv.Store on PostgreSQL (15 and later, by pgx): for bots and
// bridges with many devices and several replicas, on as many machines as they need.
//
// # Spaces
//
// A [DB] is a schema in a database, reached through a pool of connections. A space in
// it is a store ([DB.Store]) with versions of its own: one for a device, or for a few,
// so that devices do not wait for each other. Ten thousand of them share the pool, and
// one connection that is told of changes.
//
// # How a commit goes
//
// One commit is one statement and one round trip, and so is a group of them: those that
// wait in one process go together. The statement calls a function of the schema that
// locks the row of the space first and does all else after it: looks the commit's ID up,
// checks what was read, writes, and records the ID. In READ COMMITTED each statement of
// such a function sees all that was committed before, so that whoever has waited for the
// lock checks the newest state.
//
// The statement is sent as one message of the simple protocol, which the server begins
// to look at when it has all of it and which ends the transaction: a client that
// is stopped at any byte of it holds no lock. Nothing is kept in a session, so that a
// pooler may give each statement another one.
//
// # Outcomes
//
// What the server says before it has committed is final (an error of severity ERROR). A
// connection that ends after the statement was sent, and a wait for standbys that
// somebody cancelled, are kv.ErrUnknown, and the identical batch finds out. See
// docs/postgresql.md for each error of the server.
//
// # Views
//
// The database keeps the newest value of each key only. A view moves on: each call
// reads the newest state, and is told which keys were written since the one before;
// if one of those that the view has returned is another now, the view is gone
// (kv.ErrConflict). So is one that rests for some thousand commits while others write.
// Nothing is held between two calls.
//
// # Opening
//
//	config, err := pgxpool.ParseConfig(url)
//	pgkv.Prepare(config) // to be told of what the server says beside its answers
//	pool, err := pgxpool.NewWithConfig(ctx, config)
//	db, err := pgkv.Open(ctx, pool)
//	store := db.Store("@bot:example.org/PHONE")
package pgkv
