//go:build linux

package fleets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// unknowns lists the calls whose outcome nobody was told, and what it was found to be.
type unknowns struct {
	mu       sync.Mutex
	faults   string                    // of this round
	answered map[string]bool           // messages
	open     map[string]int            // others, and how often nobody was told of them
	resolved map[string]map[string]int // by fault and resolution
	rounds   map[string]int
}

func newUnknowns() *unknowns {
	u := &unknowns{answered: map[string]bool{}, open: map[string]int{}, resolved: map[string]map[string]int{}, rounds: map[string]int{}}
	u.begin("before any fault")
	return u
}

func (u *unknowns) begin(faults string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.faults = faults
	u.rounds[faults]++
	if u.resolved[faults] == nil {
		u.resolved[faults] = map[string]int{}
	}
}

// through is of crews.Crew.Through.
func (u *unknowns) through(d story.Device) story.Device { return listening{d, u} }

// isUnknown reports whether an error does not tell what became of a call.
func isUnknown(err error) bool {
	return errors.Is(err, kv.ErrUnknown) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, processes.ErrGone)
}

// message notes an answer to a message, which tells what became of the calls before.
func (u *unknowns) message(body []byte, duplicate bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := string(body)
	switch {
	case isUnknown(err) && u.answered[key]:
		u.resolved[u.faults]["decrypted beside another's answer: a duplicate, if anything"]++
	case isUnknown(err):
		u.open[key]++
	case err == nil:
		u.answered[key] = true
		if u.open[key] == 0 {
			return
		}
		how := "decrypted again: it had not been applied"
		if duplicate {
			how = "answered again: it had been applied, or another's"
		}
		u.resolved[u.faults][how] += u.open[key]
		delete(u.open, key)
	}
}

// other notes a call that is no message's.
func (u *unknowns) other(err error, how string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if isUnknown(err) {
		u.resolved[u.faults][how]++
	}
}

// settle fails the test if it is not known what became of a message.
func (u *unknowns) settle(t *testing.T) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.open) > 0 {
		t.Errorf("%s: nobody knows what became of %d messages", u.faults, len(u.open))
	}
}

func (u *unknowns) report(t *testing.T) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, faults := range slices.Sorted(maps.Keys(u.rounds)) {
		var lines []string
		for _, how := range slices.Sorted(maps.Keys(u.resolved[faults])) {
			lines = append(lines, fmt.Sprintf("%d %s", u.resolved[faults][how], how))
		}
		if lines == nil {
			lines = []string{"no call of unknown outcome"}
		}
		t.Logf("%s (%d): %s", faults, u.rounds[faults], strings.Join(lines, "; "))
	}
}

// listening is a device whose calls are noted.
type listening struct {
	story.Device
	to *unknowns
}

// What becomes of calls that are no message's.
const (
	nothingSent = "sent: nobody has the message, and its key is not used again"
	nothingUp   = "made for an upload: nobody has the keys"
	askedLater  = "settled or acknowledged: as it was, or as asked"
)

// Decrypt implements story.Device.
func (l listening) Decrypt(ctx context.Context, sender ratchet.PublicKey, m ratchet.Message) (pawl.Decrypted, error) {
	d, err := l.Device.Decrypt(ctx, sender, m)
	l.to.message(m.Body, d.Duplicate, err)
	return d, err
}

// Encrypt implements story.Device.
func (l listening) Encrypt(ctx context.Context, peer ratchet.PublicKey, text []byte) (pawl.Encrypted, error) {
	e, err := l.Device.Encrypt(ctx, peer, text)
	l.to.other(err, nothingSent)
	return e, err
}

// EncryptNew implements story.Device.
func (l listening) EncryptNew(ctx context.Context, peer, key ratchet.PublicKey, text []byte) (pawl.Encrypted, error) {
	e, err := l.Device.EncryptNew(ctx, peer, key, text)
	l.to.other(err, nothingSent)
	return e, err
}

// KeysForUpload implements story.Device.
func (l listening) KeysForUpload(ctx context.Context, n int) (pawl.Upload, error) {
	u, err := l.Device.KeysForUpload(ctx, n)
	l.to.other(err, nothingUp)
	return u, err
}

// MarkPublished implements story.Device.
func (l listening) MarkPublished(ctx context.Context, u pawl.Upload) error {
	err := l.Device.MarkPublished(ctx, u)
	l.to.other(err, askedLater)
	return err
}

// Abandon implements story.Device.
func (l listening) Abandon(ctx context.Context, u pawl.Upload) error {
	err := l.Device.Abandon(ctx, u)
	l.to.other(err, askedLater)
	return err
}

// Acknowledge implements story.Device.
func (l listening) Acknowledge(ctx context.Context, ids ...session.ReceiptID) error {
	err := l.Device.Acknowledge(ctx, ids...)
	l.to.other(err, askedLater)
	return err
}
