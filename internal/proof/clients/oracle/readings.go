package oracle

import (
	"fmt"

	"github.com/pawlkv/pawl/matrix"
)

// readings compares what was read with what was sent.
func readings(l Life) (broken []string) {
	read := map[matrix.EventID]map[Device]bool{}
	sent := map[matrix.EventID]Message{}
	for _, m := range l.Sent {
		sent[m.Event], read[m.Event] = m, map[Device]bool{}
	}
	for _, s := range l.Seen {
		m, known := sent[s.Event]
		switch {
		case !known:
			broken = append(broken, fmt.Sprintf("%s read %s, which nobody sent: %q of %s", s.By.ID, s.Event, s.Body, s.Sender))
		case s.Sender != m.Sender || m.Body != "" && s.Body != m.Body:
			broken = append(broken, fmt.Sprintf("%s read %s as %q of %s: it is %q of %s", s.By.ID, s.Event, s.Body, s.Sender, m.Body, m.Sender))
		case !s.Encrypted:
			broken = append(broken, fmt.Sprintf("%s read %s in the clear", s.By.ID, s.Event))
		default:
			read[s.Event][s.By] = true
		}
	}
	for _, m := range l.Sent {
		for _, d := range m.Readers {
			if !read[m.Event][d] {
				broken = append(broken, fmt.Sprintf("%s of %s never read %s: %q of %s", d.ID, d.User, m.Event, m.Body, m.Sender))
			}
		}
	}
	return broken
}
