package clients

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/internal/proof/clients/oracle"
	"github.com/pawlkv/pawl/matrix"
)

// stockTwice is mautrix-go's own cryptohelper as two processes on one database.
const stockTwice = "stock-twice"

var (
	stockMessages = flag.Int("stock.messages", 0, "of the device and of its peers, each, in the main story with mautrix-go's own keys; 0: it is not played")
	stockKills    = flag.Int("stock.kills", 20, "of the device's processes there")
)

// TestStockStory plays the main story with two processes of mautrix-go's own
// cryptohelper on one database, and prints what is lost: what stands beside Pawl's
// figures. Nothing is judged but that it was played.
func TestStockStory(t *testing.T) {
	if *stockMessages == 0 {
		t.Skip("it is played by make e2e-long: -stock.messages=100")
	}
	needKinds(t, "node")
	y, r := tell(t, cast{stockTwice, stockKind}, everyMessage), chance(t)
	y.mine.openInTurn()
	y.mine.processes[0].join(y.room)
	y.peer(bob, "LAPTOP").join(y.room)
	y.cast.peer = "node"
	y.peer(carol, "LAPTOP").join(y.room)
	y.settle()
	kills := plot{}
	refused := 0
	for range *stockKills {
		at := r.IntN(*stockMessages)
		kills[at] = append(kills[at], func() { refused += y.killStock(r) })
	}
	for i := range *stockMessages {
		sending := y.sending(y.mine.next(), fmt.Sprint("ours ", i))
		for _, happens := range kills[i] {
			happens()
		}
		y.insists(y.peers[i%2], fmt.Sprint("theirs ", i))
		<-sending
	}
	y.settle()
	y.losses(refused)
}

// openInTurn starts one process after the other: two that make one database at once
// fail.
func (m *subject) openInTurn() {
	m.t.Helper()
	for i := range m.processes {
		d := m.launch(i)
		if err := m.login(d); err != nil {
			m.t.Fatal(err)
		}
		d.begin()
	}
}

// killStock kills a process and starts another, which may be refused: that is counted,
// and tried again.
func (y *story) killStock(r *rand.Rand) (refused int) {
	y.t.Helper()
	i := y.mine.any(r)
	y.moment(r)
	for y.mine.kill(i); ; y.mine.kill(i) {
		d := y.mine.launch(i)
		err := y.mine.login(d)
		if err == nil {
			d.begin()
			return refused
		}
		if refused++; refused > 10 {
			y.t.Fatalf("it does not start any more: %v", err)
		}
	}
}

// losses prints what nobody of a device read, of what it must, and what the oracle says.
func (y *story) losses(refused int) {
	y.t.Helper()
	y.findUnanswered()
	total, unread := map[string]int{}, map[string]int{}
	for _, m := range y.sent {
		for _, readers := range [][]*device{y.mine.all, y.peers[:1], y.peers[1:]} {
			by := readers[0]
			if m.Sender == by.User {
				continue
			}
			name := string(by.ID) + " of " + string(by.User)
			total[name]++
			if !y.readByAny(readers, m.Event) {
				unread[name]++
			}
		}
	}
	for name, n := range total {
		y.t.Logf("two cryptohelpers on one database: %s did not read %d of %d messages", name, unread[name], n)
	}
	life := oracle.Life{Ours: []oracle.Device{y.mine.Device}, Exchanges: y.server.Exchanges()}
	counts := map[string]int{}
	for _, broken := range oracle.Judge(life) {
		for _, kind := range []string{"has two ciphertexts", "is in two events", "is in two uploads", "names another key", "opens a second session", "in the clear"} {
			if strings.Contains(broken, kind) {
				counts[kind]++
			}
		}
	}
	y.t.Logf("two cryptohelpers on one database: %d processes were killed, %d starts were refused; broken rules: %v", *stockKills, refused, counts)
}

// readByAny reports whether one of some processes told an event, or reads it now.
func (y *story) readByAny(all []*device, id matrix.EventID) bool {
	return slices.ContainsFunc(all, func(d *device) bool {
		if told(d, id) {
			return true
		}
		_, err := d.try(bot.Command{Name: "read", Room: y.room, Event: string(id), Timeout: int(time.Second.Milliseconds())})
		return err == nil
	})
}
