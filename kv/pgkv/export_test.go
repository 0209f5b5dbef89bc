package pgkv

import "context"

// TicketLife is how long the longest turns are given that a process asks for.
const TicketLife = ticketLife

// TicketTurns is how many turns a ticket serves.
const TicketTurns = ticketTurns

// Trim does at once what commits do now and then.
func (d *DB) Trim(ctx context.Context, s *Store) error {
	_, err := d.exec(ctx, newCall("trim", s.space).number(int64(d.keep)).number(keptChanges))
	return err
}

// WithVersion opens as a program does that knows a version of the schema and no later one.
func WithVersion(version int64) Option { return func(s *settings) { s.version = version } }

// SchemaVersion is what this program makes.
const SchemaVersion = schemaVersion

// Script is what makes a schema, or raises it.
func (d *DB) Script() (string, error) { return d.script() }
