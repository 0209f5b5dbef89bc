package pgkv

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pawlkv/pawl/kv"
)

// bells wake those who wait for something in a space: one connection is told of the
// commits and turns of all spaces, and one statement now and then looks at the versions
// of those that somebody waits in, for what nobody has told of.
type bells struct {
	db   *DB
	life context.Context
	die  context.CancelFunc

	mu      sync.Mutex
	joined  map[string]map[*bell]struct{}
	heads   map[string]int64 // as far as they were looked at
	rest    context.CancelFunc
	telling map[string]struct{} // spaces whose commits were not told of yet
	teller  bool
}

// bell is somebody who waits. The byte says for what it rings; the function does not
// wait.
type bell struct{ ring func(of byte, ticket int64) }

// What a bell rings for: the first byte of a notification.
const (
	ofCommits byte = 'c'
	ofTurns   byte = 't' // some have ended
	ofGrant   byte = 'g' // of a ticket
	ofAny     byte = 0
)

func newBells(d *DB) *bells {
	b := &bells{db: d, joined: make(map[string]map[*bell]struct{}), heads: make(map[string]int64), telling: make(map[string]struct{})}
	b.life, b.die = context.WithCancel(context.Background())
	return b
}

// join rings a bell for a space until leave is called.
func (b *bells) join(space string, ring func(of byte, ticket int64)) (leave func()) {
	one := &bell{ring}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.joined[space] == nil {
		b.joined[space] = make(map[*bell]struct{})
	}
	b.joined[space][one] = struct{}{}
	if b.rest == nil {
		var ctx context.Context
		ctx, b.rest = context.WithCancel(b.life)
		go b.listen(ctx)
		go b.poll(ctx)
	}
	return func() { b.part(space, one) }
}

// linger is how long the connection is kept when nobody waits any more.
const linger = 10 * time.Second

func (b *bells) part(space string, one *bell) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if delete(b.joined[space], one); len(b.joined[space]) == 0 {
		delete(b.joined, space)
		delete(b.heads, space)
	}
	if len(b.joined) == 0 {
		time.AfterFunc(linger, b.stopIfIdle)
	}
}

func (b *bells) stopIfIdle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.joined) == 0 && b.rest != nil {
		b.rest()
		b.rest = nil
	}
}

func (b *bells) close() { b.die() }

// ring rings the bells of a space, or all of them if it is empty.
func (b *bells) ring(space string, of byte, ticket int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, bells := range b.joined {
		if space != "" && name != space {
			continue
		}
		for one := range bells {
			one.ring(of, ticket)
		}
	}
}

// listen is told of commits, by one connection after the other.
func (b *bells) listen(ctx context.Context) {
	for ctx.Err() == nil {
		err := b.hear(ctx)
		if ctx.Err() != nil {
			return
		}
		b.db.set.logger.Warn("nothing is told of changes for a while: they are looked for", slog.Any("error", err))
		b.ring("", ofAny, 0)
		select {
		case <-ctx.Done():
		case <-time.After(b.db.set.poll):
		}
	}
}

// hear takes a connection for itself, and rings for each notification.
func (b *bells) hear(ctx context.Context) error {
	conn, err := b.connect(ctx)
	if err != nil {
		return err
	}
	defer func() {
		within, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(within)
	}()
	if err := b.subscribe(ctx, conn); err != nil {
		return err
	}
	b.ring("", ofAny, 0) // what came before is not told
	for {
		told, err := b.next(ctx, conn)
		if err != nil {
			return err
		}
		if told == nil { // silence: is anybody there?
			if err := b.subscribe(ctx, conn); err != nil {
				return err
			}
			continue
		}
		b.heard(told.Payload)
	}
}

// next waits for a notification. It returns none if there is none for as long as a call
// waits for its answer: a connection of which the network has lost the end is silent too.
func (b *bells) next(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	within, cancel := context.WithTimeout(ctx, b.db.set.wait)
	defer cancel()
	told, err := conn.WaitForNotification(within)
	if err != nil && within.Err() != nil && ctx.Err() == nil && !conn.IsClosed() {
		return nil, nil
	}
	return told, err
}

// subscribe asks to be told. To ask again changes nothing: the answer shows that somebody
// is there, and the server still shows who uses the connection by what was asked last.
func (b *bells) subscribe(ctx context.Context, conn *pgx.Conn) error {
	within, cancel := context.WithTimeout(ctx, b.db.set.wait)
	defer cancel()
	_, err := conn.PgConn().Exec(within, "LISTEN "+b.db.schema).ReadAll()
	return err
}

// heard rings for a notification: a letter, the ticket and a space if it is of a grant,
// and the name of the space.
func (b *bells) heard(payload string) {
	if payload == "" {
		return
	}
	of, space, ticket := payload[0], payload[1:], int64(0)
	if of == ofGrant {
		number, name, _ := strings.Cut(space, " ")
		space = name
		ticket, _ = strconv.ParseInt(number, 10, 64) // 0, which is no ticket, if it is none
	}
	b.ring(space, of, ticket)
}

func (b *bells) connect(ctx context.Context) (*pgx.Conn, error) {
	config := b.db.set.listener
	if config == nil {
		config = b.db.pool.Config().ConnConfig
	}
	within, cancel := context.WithTimeout(ctx, b.db.set.wait)
	defer cancel()
	conn, err := pgx.ConnectConfig(within, config.Copy())
	if err != nil {
		return nil, notConnected(err)
	}
	return conn, nil
}

// poll looks at the versions of all spaces that somebody waits in.
func (b *bells) poll(ctx context.Context) {
	ticker := time.NewTicker(b.db.set.poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := b.look(ctx); err != nil && ctx.Err() == nil {
			b.db.set.logger.Warn("changes cannot be looked for", slog.Any("error", err))
		}
	}
}

// look rings for the spaces that are at another version than the last time.
func (b *bells) look(ctx context.Context) error {
	b.mu.Lock()
	var names []string
	for name := range b.joined {
		names = append(names, name)
	}
	b.mu.Unlock()
	if len(names) == 0 {
		return nil
	}
	rows, err := b.db.read(ctx, (&call{function: "heads"}).names(names))
	if err != nil {
		return err
	}
	for _, r := range rows {
		name, head := string(r[0]), r.binary(1)
		b.mu.Lock()
		moved := b.joined[name] != nil && b.heads[name] != head
		if moved {
			b.heads[name] = head
		}
		b.mu.Unlock()
		if moved {
			b.ring(name, ofAny, 0)
		}
	}
	return nil
}

// tellEvery is how long after a notification the next one comes: while much is
// committed, one tells of many commits. Who has rested is told at once.
const tellEvery = 2 * time.Millisecond

// tell tells others that a space has changed, after the commit and in a transaction of
// its own. While one such statement is on its way, what comes waits for the next.
func (b *bells) tell(space string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.telling[space] = struct{}{}
	if !b.teller {
		b.teller = true
		go b.tellAll()
	}
}

func (b *bells) tellAll() {
	for {
		b.mu.Lock()
		var names []string
		for name := range b.telling {
			names = append(names, name)
		}
		clear(b.telling)
		if len(names) == 0 || b.life.Err() != nil {
			b.teller = false
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		_, err := b.db.exec(b.life, (&call{function: "tell"}).names(names).text(b.db.set.schema))
		if err != nil && b.life.Err() == nil && !errors.Is(err, kv.ErrUnavailable) {
			b.db.set.logger.Debug("others find changes by themselves", slog.Any("error", err))
		}
		select {
		case <-time.After(tellEvery):
		case <-b.life.Done():
		}
	}
}
