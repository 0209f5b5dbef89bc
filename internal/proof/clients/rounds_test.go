package clients

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/matrix"
)

var seed = flag.Uint64("clients.seed", 0, "of the random rounds; 0: another one each time")

// chance is a random source whose seed is printed.
func chance(t *testing.T) *rand.Rand {
	from := *seed
	if from == 0 {
		from = rand.Uint64()
	}
	t.Logf("-clients.seed=%d", from)
	return rand.New(rand.NewPCG(from, 0))
}

// Processes are killed while they send and receive, with a new key at every message.
func randomRestarts(t *testing.T, c cast) {
	y, r := tell(t, c, everyMessage), chance(t)
	y.meet(bob)
	for i := range *starts {
		victim := y.mine.any(r)
		sending := y.sending(y.mine.next(), fmt.Sprint("of round ", i))
		y.says(y.peers[0], fmt.Sprint("for round ", i))
		y.moment(r)
		y.mine.kill(victim)
		<-sending
		y.mine.revive(victim)
	}
	y.quiet()
}

// sending lets a process send that may be killed meanwhile.
func (y *story) sending(from *device, body string) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = y.say(from, body) // what came of it is found on the server
	}()
	return ended
}

// moment lets an instant pass, in which a process comes further by chance.
func (y *story) moment(r *rand.Rand) { time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond) }

// Anything may happen to the device under test: kills, stops, freezes and faults,
// while everybody talks. When all is quiet, everybody agrees.
func randomRounds(t *testing.T, c cast) {
	y, r := tell(t, c, object{"rotation_period_msgs": 4}), chance(t)
	y.meet(bob, carol)
	y.talk("before")
	deeds := []func(*rand.Rand){y.killOne, y.killOne, y.stopOne, y.freezeOne, y.failSome, y.failSome, y.forget, y.takeKeys, y.wait, y.sweepOne}
	for i := range *rounds {
		var sending []<-chan struct{}
		for range 1 + r.IntN(len(y.mine.processes)) {
			sending = append(sending, y.sending(y.mine.next(), fmt.Sprint("of round ", i)))
		}
		deeds[r.IntN(len(deeds))](r)
		y.says(y.peers[r.IntN(len(y.peers))], fmt.Sprint("for round ", i))
		for _, ended := range sending {
			<-ended
		}
		y.mine.check()
		if (i+1)%judged == 0 {
			y.quiet()
		}
	}
	y.quiet()
}

// judged is after how many rounds all is quiet for a while and is judged: what is
// broken early is told early.
const judged = 100

func (y *story) killOne(r *rand.Rand) {
	i := y.mine.any(r)
	y.moment(r)
	y.mine.kill(i)
	y.mine.revive(i)
}

// stopOne stops syncing, as an app does that goes to the background, and goes on.
func (y *story) stopOne(r *rand.Rand) {
	d := y.mine.processes[y.mine.any(r)]
	d.do(bot.Command{Name: "stop"})
	y.moment(r)
	d.do(bot.Command{Name: "start"})
}

// freezeOne stops a process between two instructions, while another one sends.
func (y *story) freezeOne(r *rand.Rand) {
	i := y.mine.any(r)
	y.moment(r)
	d := y.mine.processes[i]
	if err := d.Signal(syscall.SIGSTOP); err != nil {
		y.t.Fatal(err)
	}
	sending := y.sending(y.mine.processes[(i+1)%len(y.mine.processes)], "while another is frozen")
	y.moment(r)
	y.moment(r)
	if err := d.Signal(syscall.SIGCONT); err != nil {
		y.t.Fatal(err)
	}
	<-sending
}

// failSome lets the next requests of some kinds fail.
func (y *story) failSome(r *rand.Rand) {
	endpoints := []string{"keys/upload", "keys/query", "keys/claim", "sendToDevice", "send", "sync", "members", "event"}
	effects := []hs.Effect{hs.Lose, hs.Drop, hs.Gateway, hs.Limit(20 * time.Millisecond), {Delay: 50 * time.Millisecond}}
	for range 1 + r.IntN(3) {
		y.fail(endpoints[r.IntN(len(endpoints))], 1+r.IntN(2), effects[r.IntN(len(effects))])
	}
}

// forget makes the server do again what it did, if it is asked again.
func (y *story) forget(*rand.Rand) { y.server.ForgetTransactions() }

func (y *story) takeKeys(r *rand.Rand) { y.claim(r.IntN(10)) }

// wait lets time pass that the device waits for.
func (y *story) wait(r *rand.Rand) {
	if y.mine.shares() {
		y.mine.later(time.Duration(r.IntN(120)) * time.Second)
	}
}

// sweepOne lets a process erase what nobody needs any more, after up to three days:
// receipts, what is known of sessions that are gone, replaced keys. Weeks pass in this
// way, in which keys are replaced and sessions grow old.
func (y *story) sweepOne(r *rand.Rand) {
	if !y.mine.shares() {
		return
	}
	y.mine.later(time.Duration(r.IntN(72)) * time.Hour)
	y.mine.processes[y.mine.any(r)].do(bot.Command{Name: "sweep"})
}

// quiet ends all faults and judges.
func (y *story) quiet() {
	y.t.Helper()
	y.server.Heal()
	if y.mine.shares() {
		y.mine.later(time.Hour)
	}
	y.settle()
	y.talk("all is quiet")
	y.tellCounts()
}

// tellCounts tells how much happened: a run in which nothing failed proves little.
func (y *story) tellCounts() {
	failed, lost, all := 0, 0, 0
	for _, e := range y.server.Exchanges() {
		if e.User != y.mine.User {
			continue
		}
		all++
		if e.Lost {
			lost++
		} else if e.Status != http.StatusOK {
			failed++
		}
	}
	used := map[string]bool{}
	for _, e := range y.server.Timeline(matrix.RoomID(y.room)) {
		if e.Sender == y.mine.User && e.Type == "m.room.encrypted" {
			used[sessionOf(y.t, e)] = true
		}
	}
	y.t.Logf("%d messages, ours in %d sessions; of %d requests of ours %d were refused and %d got no answer; %d processes were killed",
		len(y.sent), len(used), all, failed, lost, y.mine.killed)
}
