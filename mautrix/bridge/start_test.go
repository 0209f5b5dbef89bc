package pawlbridge

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/matrix"
)

// large is how many rooms there are, each with a member who has a device.
const large = 1000

// startsAs has the benchmark be the process that is measured: it says where all is.
const startsAs = "PAWLBRIDGE_STARTS"

// member is somebody who has a device, with keys on the server.
func (w *world) member(i int) id.UserID {
	w.Helper()
	user := id.UserID(fmt.Sprintf("@member%d:example.org", i))
	w.s.AddUser(matrix.UserID(user), "secret")
	c, err := mautrix.NewClient(w.s.URL(), user, w.s.Login(matrix.UserID(user), "PHONE"))
	if err != nil {
		w.Fatal(err)
	}
	state := mautrix.NewMemoryStateStore()
	c.DeviceID, c.StateStore = "PHONE", state
	olm := crypto.NewOlmMachine(c, nil, crypto.NewMemoryStore(nil), state.(crypto.StateStore))
	if err = olm.Load(w.Context()); err == nil {
		err = olm.ShareKeys(w.Context(), -1)
	}
	if err != nil {
		w.Fatal(err)
	}
	return user
}

// fill has the bridge's device share a key in many rooms.
func (b *bridge) fill() {
	b.Helper()
	ctx, state := b.Context(), b.connector.StateStore
	for i := range large {
		room, user := id.RoomID(fmt.Sprintf("!room%d:example.org", i)), b.member(i)
		err := state.SetEncryptionEvent(ctx, room, &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1})
		for _, u := range []id.UserID{bridgeBot, user} {
			if err == nil {
				err = state.SetMembership(ctx, room, u, event.MembershipJoin)
			}
		}
		if err == nil {
			err = state.MarkMembersFetched(ctx, room)
		}
		if err == nil {
			err = b.connector.Crypto.Encrypt(ctx, room, event.EventMessage, &event.Content{Raw: map[string]any{"body": "hi"}})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStart starts a bridge of 1,000 rooms and 1,000 members' devices, in a process
// of its own each time: how long its crypto takes to start, and what is resident when it
// has encrypted an event then. The slowest and the largest are told.
func BenchmarkStart(b *testing.B) {
	if with, is := os.LookupEnv(startsAs); is {
		starts(b, strings.Fields(with))
		return
	}
	w := newWorld(b)
	first := w.start()
	first.fill()
	first.stop()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	var slowest time.Duration
	var largest int
	for b.Loop() {
		cmd := exec.CommandContext(b.Context(), self, "-test.run=^$", "-test.bench=^BenchmarkStart$", "-test.benchtime=1x")
		cmd.Env = append(os.Environ(), startsAs+"="+strings.Join([]string{w.folder, w.at, w.address.String()}, " "))
		said, err := cmd.CombinedOutput()
		if err != nil {
			b.Fatalf("%v: %s", err, said)
		}
		for line := range strings.Lines(string(said)) {
			var nanoseconds, kilobytes int
			if _, err := fmt.Sscanf(line, "started %d %d", &nanoseconds, &kilobytes); err == nil {
				slowest, largest = max(slowest, time.Duration(nanoseconds)), max(largest, kilobytes)
			}
		}
	}
	b.ReportMetric(slowest.Seconds(), "s-start")
	b.ReportMetric(float64(largest)/1024, "MiB-resident")
}

// starts is the process that is measured.
func starts(b *testing.B, with []string) {
	w := &world{TB: b, folder: with[0], at: with[1], log: zerolog.New(io.Discard)}
	var err error
	if w.address, err = net.ResolveTCPAddr("tcp", with[2]); err != nil {
		b.Fatal(err)
	}
	all := w.open()
	timed := &timedCrypto{bridgeCrypto: all.crypto()}
	all.connector.Crypto = timed
	if err := all.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	content := &event.Content{Raw: map[string]any{"body": "hi"}}
	if err := timed.Encrypt(b.Context(), "!room0:example.org", event.EventMessage, content); err != nil {
		b.Fatal(err)
	}
	fmt.Printf("\nstarted %d %d\n", timed.took.Nanoseconds(), resident())
	all.connector.Crypto = timed.bridgeCrypto
}

// resident is how much of this process is in memory, in KiB; 0 where nobody says.
func resident() int {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if rest, is := strings.CutPrefix(line, "VmRSS:"); is {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}

// timedCrypto knows how long Init took.
type timedCrypto struct {
	*bridgeCrypto
	took time.Duration
}

// Init implements matrix.Crypto.
func (c *timedCrypto) Init(ctx context.Context) error {
	begin := time.Now()
	err := c.bridgeCrypto.Init(ctx)
	c.took = time.Since(begin)
	return err
}
