package pawlmautrix

import "time"

// strike is a kill: within a transaction or at any instant, and perhaps another while the
// bridge starts again.
type strike struct {
	inTransaction bool
	after         time.Duration
	inStart       bool
	startAfter    time.Duration
}

// strikes are all kills of a story, by the message that is under way.
func (y *bridgeStory) strikes() map[int]strike {
	inStarts := *bridgeKills / 4
	all := map[int]strike{}
	for i, at := range y.random.Perm(*bridgeMessages)[:*bridgeKills-inStarts] {
		s := strike{inTransaction: i%2 == 0, inStart: i < inStarts, startAfter: y.until(1500 * time.Millisecond)}
		switch {
		case i%4 == 0:
			s.after = 0 // nothing of it is stored, let alone answered
		case s.inTransaction:
			s.after = y.until(30 * time.Millisecond)
		default:
			s.after = y.until(300 * time.Millisecond)
		}
		all[at] = s
	}
	return all
}

func (y *bridgeStory) until(most time.Duration) time.Duration {
	return time.Duration(y.random.Int64N(int64(most)))
}

// strike kills the bridge, and starts it again.
func (y *bridgeStory) strike(s strike) {
	if s.inTransaction {
		within := make(chan struct{})
		y.gate.strikes(func() { close(within) })
		<-within
	}
	y.killAfter(s.after)
	if s.inStart {
		y.launch()
		y.killAfter(s.startAfter)
	}
	y.launch()
	y.await("the start of a bridge that was killed", func() bool { return y.ready })
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, l := range y.said {
		if !y.sent[l.ID] {
			y.bridge.say(l)
		}
	}
}

// killAfter kills at a random instant: nothing is waited for.
func (y *bridgeStory) killAfter(wait time.Duration) {
	time.Sleep(wait)
	y.mu.Lock()
	p := y.bridge
	y.mu.Unlock()
	p.kill()
	y.note(func() { y.kills++ })
}
