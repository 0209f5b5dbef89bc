package pawlmautrix

import (
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"

	"github.com/pawlkv/pawl/matrix"
)

// lines is a log that a test reads.
type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.all.String(), part)
}

// A listener that comes before Pawl's may keep a response from it. Pawl says so, once for
// each response, and then asks itself for what the rooms had in it.
func TestListenerBefore(t *testing.T) {
	s := server(t)
	peer := startMautrix(t, s, bob, "LAPTOP")
	token := s.Login(matrix.UserID(alice), matrix.DeviceID(phone))
	p := newProgram(t, s, alice, phone, token)
	log := &lines{}
	p.client.Log = zerolog.New(log)
	p.client.Syncer.(mautrix.ExtensibleSyncer).OnSync(p.client.DontProcessOldEvents) // false at the first sync
	h, err := NewCryptoHelper(p.client, []byte("secret"), at(t.TempDir(), "bot.pawl"))
	if err != nil {
		t.Fatal(err)
	}
	h.DecryptErrorCallback = p.undecryptable
	p.start(h)
	room := makeRoom(t, peer, p)
	peer.say(room, "after the first response")
	p.reads("after the first response")
	const said = "a listener that was registered by OnSync before Init returned false"
	if n := log.count(said); n != 1 {
		t.Errorf("it was said %d times", n)
	}
}
