//go:build unix

package processes

import "sync"

// mostComplaint is how much of what a process complains of is kept.
const mostComplaint = 16 << 10

// complaint keeps the beginning of what is written to it, which says what
// happened; the rest says where.
type complaint struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (t *complaint) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b[:min(len(b), mostComplaint-len(t.text))]...)
	return len(b), nil
}

func (t *complaint) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
