package txn

import (
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// Some is ScanUnder for no more than most records. Where there are more of them,
// which ones are yielded is not defined, and they are checked as if they had been
// got: what else there is may change. Where there are fewer, all are yielded and
// checked as by a scan, so that none there is stays so. In this way a commit can
// rest on some record being there, however many there are.
func (r *Record[N, T]) Some(tx *Tx, first Path, most int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		prefix, err := tx.key(Ref{r.Kind, r.Shared, first})
		if err != nil {
			yield(zero, err)
			return
		}
		isRecord := func(e kv.Entry) bool {
			_, err := tx.unseal(r, e.Key, e.Value)
			return !errors.Is(err, ErrSetAside)
		}
		keys, err := tx.some(prefix+"/", most, isRecord)
		if err != nil {
			yield(zero, err)
			return
		}
		for _, key := range keys {
			v, ok, err := getAs[T](tx, r, key)
			if (ok || err != nil) && !yield(v, err) {
				return
			}
		}
	}
}

// AnyEntry returns an entry under the keys with a prefix as [Tx.Entries] yields
// them; ok is false if there is none. It reads no more than that one, and a commit
// checks no more.
func (tx *Tx) AnyEntry(prefix string) (e kv.Entry, ok bool, err error) {
	if tx.done.Load() {
		return e, false, ErrDone
	}
	first, whole, err := tx.firstOf(prefix, 1, func(kv.Entry) bool { return true })
	if err != nil {
		return e, false, err
	}
	if whole {
		tx.takeScan(prefix, first)
	}
	if len(first) == 0 {
		return e, false, nil
	}
	tx.takeEntry(first[0])
	tx.see(tx.reads[first[0].Key])
	return first[0], true, nil
}

// some returns the keys of no more than most records with a prefix, those written by
// this transaction among them, and puts them into the read set: as a scan if they
// are all.
func (tx *Tx) some(prefix string, most int, isRecord func(kv.Entry) bool) ([]string, error) {
	var keys []string
	for _, w := range tx.written {
		if strings.HasPrefix(w.key, prefix) && !w.deleted && !w.isSetAside() {
			keys = append(keys, w.key)
		}
	}
	if len(keys) >= most {
		return keys[:most], nil
	}
	counts := func(e kv.Entry) bool { return tx.writes[e.Key] == nil && isRecord(e) }
	first, whole, err := tx.firstOf(prefix, most-len(keys), counts)
	if err != nil {
		return nil, err
	}
	if whole {
		tx.takeScan(prefix, first)
	}
	for _, e := range first {
		if counts(e) {
			tx.takeEntry(e)
			keys = append(keys, e.Key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// firstOf returns the entries with a prefix up to that with which most of them
// count, and whether these are all. Nothing is in the read set yet.
func (tx *Tx) firstOf(prefix string, most int, counts func(kv.Entry) bool) (first []kv.Entry, whole bool, err error) {
	if tx.fault != nil {
		return nil, false, tx.fault
	}
	if b := tx.ahead[prefix]; b != nil {
		first, enough, _ := upTo(b.each, most, counts)
		if enough || b.Whole {
			return first, !enough, nil
		}
	}
	start := time.Now()
	defer func() { tx.t.report.countRead(start) }()
	tx.fixed = true
	first, enough, err := upTo(tx.snap.Scan(tx.ctx, prefix), most, counts)
	if err != nil {
		return nil, false, tx.fail(err)
	}
	return first, !enough, nil
}

// upTo returns entries up to that with which most of them count, and whether so many do.
func upTo(all iter.Seq2[kv.Entry, error], most int, counts func(kv.Entry) bool) (first []kv.Entry, enough bool, err error) {
	for e, err := range all {
		if err != nil {
			return nil, false, err
		}
		first = append(first, e)
		if counts(e) {
			most--
		}
		if most == 0 {
			return first, true, nil
		}
	}
	return first, false, nil
}

// takeScan puts all that there is with a prefix into the read set.
func (tx *Tx) takeScan(prefix string, all []kv.Entry) {
	s := &scan{prefix: prefix, read: kv.ScanRead{Prefix: prefix}}
	for _, e := range all {
		tx.takeScanned(s, e)
	}
	tx.tookScan(s)
}

// takeEntry puts an entry into the read set that no scan covers.
func (tx *Tx) takeEntry(e kv.Entry) {
	if tx.reads[e.Key] == nil {
		tx.rememberEntry(e)
	}
}
