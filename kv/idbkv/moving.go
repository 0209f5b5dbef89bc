//go:build js

package idbkv

import (
	"syscall/js"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/views"
	"github.com/pawlkv/pawl/kv/internal/watch"
)

// moving looks whether what a view has returned stands in a newer state: at what the log
// says was written since, and where the log does not go back so far at all of it again.
type moving struct {
	tx       *tx
	returned *views.Returned
	after    kv.Version // the log up to here was read
	head     kv.Version
	latest   map[string]kv.Version // of keys that were written since, 0 if deleted
	then     func(stands bool) error

	versions, rows js.Value // requests
}

// logPage is how many rows of the log are read at once.
const logPage = 64

// ask asks for the next rows of the log.
func (m *moving) ask() error {
	changes := m.tx.store(changesStore)
	within := keyRange.Call("lowerBound", float64(m.after+1))
	m.versions = m.tx.ask(changes.Call("getAllKeys", within, logPage))
	m.rows = m.tx.ask(changes.Call("getAll", within, logPage))
	return m.tx.then(m.read)
}

func (m *moving) read() error {
	rows, err := logRows(m.versions, m.rows)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.version != m.after+1 { // every version has a row: those between were dropped
			return m.anew()
		}
		m.after = row.version
		for _, w := range row.writes {
			if !m.returned.Saw(w.Key) {
				continue
			}
			m.latest[w.Key] = row.version
			if w.Delete {
				m.latest[w.Key] = 0
			}
		}
	}
	if m.after < m.head {
		if len(rows) == 0 {
			return m.anew()
		}
		return m.ask()
	}
	for key, version := range m.latest {
		if !m.returned.Stands(key, version) {
			return m.then(false)
		}
	}
	return m.then(true)
}

// anew looks at all of it again.
func (m *moving) anew() error {
	var reads []kv.Read
	for key, version := range m.returned.Reads() {
		reads = append(reads, kv.Read{Key: key, Version: version})
	}
	var scans []expected
	for _, s := range m.returned.Scans() {
		scans = append(scans, expected{s.Prefix, s.Yielded, s.Whole})
	}
	c := newCheck(m.tx, reads, scans)
	return c.run(func() error {
		switch err := c.stale(nil); err.(type) {
		case nil:
			return m.then(true)
		case *kv.ConflictError:
			return m.then(false)
		default:
			return err
		}
	})
}

// logRow is what one version has written.
type logRow struct {
	version kv.Version
	writes  []kv.Write
}

// logRows reads rows of the log from two requests.
func logRows(versions, rows js.Value) (read []logRow, err error) {
	keys, values := versions.Get("result"), rows.Get("result")
	for i := range keys.Length() {
		b, err := bytesOf(values.Index(i))
		if err != nil {
			return nil, err
		}
		writes, err := watch.DecodeChanges(b)
		if err != nil {
			return nil, err
		}
		read = append(read, logRow{numberOf(keys.Index(i)), writes})
	}
	return read, nil
}
