package pawlmautrix

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// end has both peers say a last word in each room. When these have arrived everything
// before has, but for what Synapse has left behind.
func (y *bridgeStory) end() {
	y.t.Helper()
	var last []string
	for i := range 2 * len(y.rooms) {
		last = append(last, y.speak(i, fmt.Sprint("last word ", i)))
	}
	last = append(last, y.recall()...)
	y.await("the last words", func() bool {
		return !slices.ContainsFunc(last, func(e string) bool { return y.handled[e] == "" })
	})
	y.await("all messages of the network", func() bool {
		return !slices.ContainsFunc(y.said, func(l line) bool { return !y.sent[l.ID] })
	})
	y.settle()
}

// recall waits until all events have come in a transaction, and returns what it had to
// have said for it. Synapse 1.163 looks whether a bridge is up before it stores a
// transaction: one that it stores just after it has found nothing left to send to a bridge
// that was down is sent by nobody, until a transaction fails again. So one is refused.
func (y *bridgeStory) recall() (words []string) {
	y.t.Helper()
	for i := range 10 {
		left := y.missing(10 * time.Second)
		if left == 0 || y.t.Failed() {
			return words
		}
		y.left = max(y.left, left)
		y.gate.refuses()
		words = append(words, y.speak(i, fmt.Sprint("a word more ", i)))
	}
	y.t.Error("Synapse has events that it does not send, whatever is refused")
	return words
}

// missing counts the events that have come in no transaction. If there are any it looks
// again for some time after the last that came.
func (y *bridgeStory) missing(patience time.Duration) int {
	for {
		y.mu.Lock()
		changed, spoken := y.changed, slices.Collect(maps.Keys(y.spoken))
		y.mu.Unlock()
		left := len(y.gate.unanswered(spoken))
		if left == 0 {
			return 0
		}
		select {
		case <-changed:
		case <-time.After(patience):
			return left
		}
	}
}
