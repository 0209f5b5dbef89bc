package clients

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pawlkv/pawl/internal/proof/clients/oracle"
	"github.com/pawlkv/pawl/matrix"
)

// incident is something that happened in a story beside the messages.
type incident struct {
	oracle.Span
	away bool // the device could not tell anything meanwhile
	what string
}

func (y *story) notes(from, to time.Time, away bool, what string) {
	y.happened = append(y.happened, incident{oracle.Span{From: from, To: to}, away, what})
}

// noteOwner notes who owns the store now.
func (y *story) noteOwner() {
	y.t.Helper()
	names := []string{}
	for _, d := range y.mine.owners() {
		names = append(names, d.name)
	}
	now := time.Now()
	y.notes(now, now, false, "the owners of the store: "+strings.Join(names, ", "))
}

// delays judges how long it took until a process of ours told what a peer had sent,
// with the time taken out in which it could not. Its processes are killed one at a time:
// there is always another that runs.
func (y *story) delays() {
	y.t.Helper()
	told := map[matrix.EventID]time.Time{}
	for _, d := range y.mine.all {
		for _, e := range d.Events() {
			id := matrix.EventID(e.Event)
			if first, known := told[id]; e.Name == "message" && e.Sender != string(y.mine.User) && (!known || e.At.Before(first)) {
				told[id] = e.At
			}
		}
	}
	untold := 0 // read when it was asked for only
	for _, m := range y.sent {
		if _, was := told[m.Event]; !was && m.Sender != y.mine.User {
			untold++
		}
	}
	var away []oracle.Span
	for _, h := range y.happened {
		if h.away {
			away = append(away, h.Span)
		}
	}
	delays := oracle.Delays(oracle.Life{Exchanges: y.server.Exchanges("sync")}, told, away)
	if len(delays) < *messages/2 {
		y.t.Fatalf("%d messages of peers were told, of %d", len(delays), *messages)
	}
	y.t.Logf("messages of peers were told after %v (median) and %v (longest); %d of %d were told by no process, and read afterwards",
		delays[len(delays)/2].Took.Round(time.Millisecond), delays[len(delays)-1].Took.Round(time.Millisecond), untold, untold+len(told))
	for _, d := range delays {
		if *latest > 0 && d.Took > *latest {
			y.t.Errorf("%s was told %v after it was there, want at most %v:\n%s", d.Event, d.Took, *latest, strings.Join(y.meanwhile(d), "\n"))
		}
	}
}

// meanwhile tells what happened around the time in which a message was there and nobody
// told it: who was killed or stopped, who owned the store, what the device's processes
// said, and which of its requests were under way.
func (y *story) meanwhile(d oracle.Delay) []string {
	type moment struct {
		oracle.Span
		what string
	}
	var all []moment
	add := func(from, to time.Time, what string) {
		if s := (oracle.Span{From: from, To: to}); s.Meets(d.Given.Add(-frozen), d.Told) {
			all = append(all, moment{s, what})
		}
	}
	for _, h := range y.happened {
		add(h.From, h.To, h.what)
	}
	for _, p := range y.mine.all {
		for _, e := range p.Events() {
			if e.Name != "synced" {
				add(e.At, e.At, strings.Join([]string{p.name, "said", e.Name, e.Event, e.Sender, e.Error}, " "))
			}
		}
	}
	for _, e := range y.server.Exchanges() {
		if e.User == y.mine.User {
			add(e.Began, e.At, fmt.Sprintf("%s of %d bytes was answered %d, %d bytes", e.Endpoint, len(e.Request), e.Status, len(e.Answer)))
		}
	}
	slices.SortStableFunc(all, func(a, b moment) int { return cmp.Compare(a.From.UnixNano(), b.From.UnixNano()) })
	lines := []string{fmt.Sprintf("it was told at %.3f s, from the moment at which it was there", d.Told.Sub(d.Given).Seconds())}
	for _, m := range all {
		lines = append(lines, fmt.Sprintf("%9.3f to %9.3f s: %s", m.From.Sub(d.Given).Seconds(), m.To.Sub(d.Given).Seconds(), m.what))
	}
	return lines
}
