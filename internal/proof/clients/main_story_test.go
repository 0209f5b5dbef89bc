package clients

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"
)

// How much happens in the main story.
var (
	messages = flag.Int("story.messages", 10, "of the device and of its peers, each")
	kills    = flag.Int("story.kills", 4, "of the device's processes")
	freezes  = flag.Int("story.freezes", 0, "of a process of the device, for six seconds each")
	reboots  = flag.Int("story.reboots", 1, "of the homeserver")
	latest   = flag.Duration("story.late", 0, "how late an event may be told, if there is a bound")
)

// frozen is how long a process stands still.
const frozen = 6 * time.Second

// TestMainStory: app, extension and share sheet are three processes of mautrix-go's
// client with Pawl on one device. They all sync and send, with a new key at every
// message, to a device of the same bot with mautrix-go's own keys and one of
// matrix-sdk-crypto; they are killed and stopped, and the server starts anew. All three devices read all that the server took.
func TestMainStory(t *testing.T) {
	for i, engine := range []string{"badger", "sqlite"} {
		if (*where != "" || *dendrite != "") && i > 0 && !*all {
			break // the other engine plays it on the server of package hs
		}
		t.Run(engine, func(t *testing.T) { mainStory(t, cast{exampleKind + engine, stockKind}) })
	}
}

// plot is what happens beside the messages, by the number of the message.
type plot map[int][]func()

func mainStory(t *testing.T, c cast) {
	needKinds(t, "node")
	y, r := tell(t, c, everyMessage), chance(t)
	y.meet(bob)
	y.cast.peer = "node"
	y.peer(carol, "LAPTOP").join(y.room)
	y.settle()
	began := time.Now()
	p := plot{}
	p.spread(r, *kills, func() { y.kill(r) })
	p.spread(r, *freezes, func() { y.freeze(r) })
	p.spread(r, *reboots, y.reboot)
	for i := range *messages {
		y.noteOwner()
		sending := y.sending(y.mine.next(), fmt.Sprint("ours ", i))
		for _, happens := range p[i] {
			happens()
		}
		y.insists(y.peers[i%2], fmt.Sprint("theirs ", i))
		<-sending
	}
	t.Logf("%d messages each way took %v; %d processes were killed", *messages, time.Since(began).Round(time.Millisecond), y.mine.killed)
	y.settle()
	y.judge()
	y.delays()
	y.tellCounts()
}

// insists is says for a peer that is not judged: a connection that ended with the
// server may fail it, and it says the same again.
func (y *story) insists(from *device, body string) {
	y.t.Helper()
	for range 5 {
		if _, err := y.say(from, body); err == nil {
			return
		} else if from.Ended() != nil {
			y.t.Fatal(err)
		}
	}
	y.says(from, body)
}

// spread puts something at so many places by chance.
func (p plot) spread(r *rand.Rand, times int, what func()) {
	for range times {
		at := r.IntN(*messages)
		p[at] = append(p[at], what)
	}
}

// kill kills a process by chance, at a moment by chance, and starts another in its
// place.
func (y *story) kill(r *rand.Rand) {
	i := y.mine.any(r)
	y.moment(r)
	from := time.Now()
	y.mine.kill(i)
	y.mine.revive(i)
	y.notes(from, time.Now(), false, y.mine.processes[i].name+" was killed, and started again")
}

// freeze stops a process between two instructions, while the others go on. Where it owns
// the store they wait for it: what it has locked once it stands, it has until it goes on.
func (y *story) freeze(r *rand.Rand) {
	y.t.Helper()
	i := y.mine.any(r)
	d := y.mine.processes[i]
	from := time.Now()
	if err := d.Signal(syscall.SIGSTOP); err != nil {
		y.t.Fatal(err)
	}
	sending := y.sending(y.mine.processes[(i+1)%len(y.mine.processes)], "while another is frozen")
	time.Sleep(time.Until(from.Add(frozen))) // that long, whatever happens
	owns := slices.Contains(y.mine.owners(), d)
	to := time.Now()
	if err := d.Signal(syscall.SIGCONT); err != nil {
		y.t.Fatal(err)
	}
	<-sending
	y.notes(from, to, owns, fmt.Sprintf("%s was stopped; it owned the store: %v", d.name, owns))
	y.t.Logf("%s was stopped for %v; it owned the store: %v; another sent within %v",
		d.name, to.Sub(from).Round(time.Millisecond), owns, time.Since(from).Round(time.Millisecond))
}

// reboot starts the homeserver anew. Clients come back after they have paused.
func (y *story) reboot() {
	y.t.Helper()
	from := time.Now()
	if err := y.server.Restart(); err != nil {
		y.t.Fatal(err)
	}
	y.notes(from, time.Now().Add(time.Second), true, "the server started anew, and clients came back")
}
