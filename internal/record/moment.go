package record

import "time"

// Order says which of two things of an account came later. It is made of the
// store's version and of no clock; see docs/format.md, and package machine,
// which makes it. 0 is of what was written in format 1, before all others.
type Order uint64

// Places is how many things of one commit have an order of their own.
const Places = 1 << 10

// View returns what orders of things that one transaction did have in common.
func (o Order) View() uint64 { return uint64(o) / Places }

// Moment is when something happens: by a clock, which may be wrong and which
// only expiry goes by, and in the order of the account.
type Moment struct {
	Time  time.Time
	Order Order
}

// Order reads an order.
func (r *Reader) Order() Order { return Order(r.Uint(1<<64 - 1)) }

// Order writes an order.
func (w *Writer) Order(o Order) { w.Uint(uint64(o)) }
