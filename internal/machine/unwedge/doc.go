// Package unwedge opens another session with a peer whose messages no session and no
// key of ours reads any more, and gives it again what it may have lost.
//
// What says that a peer is wedged stands in a record of the peer ([records.Wedge]),
// and so does what was done about it: one process decides, in a commit, and all know.
// Nothing is concluded from it that does not hold when it is acted upon: whether the
// peer was heard since, or has another session by then, is seen by the orders of its
// sessions. So messages that are read cost nothing here.
//
// The limits, over all processes and whatever is killed when: one session an hour and
// peer, and after three that did not help one a day; 100 room keys a session. What they
// are worth where clocks are wrong is in docs/unwedging.md.
package unwedge
