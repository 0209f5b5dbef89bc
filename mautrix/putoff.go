package pawlmautrix

import (
	"context"
	"errors"
	"sync"

	"github.com/rs/zerolog"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrStateLater: another process has the file of the StateStore locked, and seems to be
// stopped. What was to be written is kept, and written when that one goes on or ends.
var ErrStateLater = errors.New("pawlmautrix: another process has the StateStore locked: this is written as soon as it lets go")

// putOff has the writes to a StateStore that another process holds up. SQLite locks a file
// for one process at a time, for a millisecond; one that is stopped within it would have
// all others wait. So nobody waits for long: a write that cannot be made is put off, with
// all that come after it, and they are made in their order once there is no lock.
type putOff struct {
	log    zerolog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu      sync.Mutex
	waiting []func(context.Context) error
}

func newPutOff(log zerolog.Logger) *putOff {
	p := &putOff{log: log}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// locked reports that another process has a lock of SQLite's.
func locked(err error) bool {
	var of *sqlite.Error
	return errors.As(err, &of) && of.Code()&0xff == sqlite3.SQLITE_BUSY
}

// do makes a write, or fails with ErrStateLater and makes it later.
func (p *putOff) do(ctx context.Context, write func(context.Context) error) error {
	p.mu.Lock()
	behind := len(p.waiting) > 0
	p.mu.Unlock()
	if !behind {
		if err := write(ctx); !locked(err) {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return ErrStateLater
	}
	if p.waiting = append(p.waiting, write); len(p.waiting) == 1 {
		p.log.Warn().Msg("Another process has the StateStore locked, and seems to be stopped: what is to be written there waits for it")
		p.ended.Go(p.run)
	}
	return ErrStateLater
}

// run makes what was put off, one after the other, until there is no more of it.
func (p *putOff) run() {
	for {
		p.mu.Lock()
		write := p.waiting[0]
		p.mu.Unlock()
		err := write(p.ctx)
		switch {
		case p.ctx.Err() != nil:
			p.mu.Lock()
			defer p.mu.Unlock()
			p.log.Warn().Int("writes", len(p.waiting)).Msg("The program ends before the StateStore took what waited for another process")
			return
		case locked(err): // for as long as the database waits
			continue
		case err != nil:
			p.log.Warn().Err(err).Msg("Failed to write to the StateStore what had waited")
		}
		p.mu.Lock()
		p.waiting = p.waiting[1:]
		done := len(p.waiting) == 0
		p.mu.Unlock()
		if done {
			return
		}
	}
}

// end gives up what still waits.
func (p *putOff) end() {
	p.cancel()
	p.ended.Wait()
}
