package etcdkv

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/pawlkv/pawl/kv"
)

// A store stays where it was made: no key of etcd gets another name and keeps its
// revision. So a name that a store was given later leads to the place, and the place says
// that its own name does not count any more.

// named is what was found at a name.
type named struct {
	at    place
	any   bool             // something is here
	meta  *mvccpb.KeyValue // of the store that was made here, nil if none was
	left  *mvccpb.KeyValue // it has another name now
	leads *mvccpb.KeyValue // the name of the place of the store that has this name now
}

// place returns where the store is that has the name. None has it: false.
func (n named) place() (place, bool, error) {
	switch {
	case n.leads != nil:
		at, err := placeOf(string(n.leads.Value))
		if err != nil {
			return "", false, fmt.Errorf("%w: a name leads to no place (key n)", kv.ErrCorrupt)
		}
		return at, true, nil
	case n.meta != nil && n.left == nil:
		return n.at, true, nil
	}
	return "", false, nil
}

// stands are the compares that hold while what was found does.
func (n named) stands() []*pb.Compare {
	return []*pb.Compare{
		modified(pb.Compare_EQUAL, n.meta.GetModRevision(), n.at.meta(), nil),
		modified(pb.Compare_EQUAL, n.left.GetModRevision(), n.at.left(), nil),
		modified(pb.Compare_EQUAL, n.leads.GetModRevision(), n.at.leads(), nil),
	}
}

func (db *Database) find(ctx context.Context, name string) (n named, err error) {
	if n.at, err = placeOf(name); err != nil {
		return n, err
	}
	from, end := n.at.whole()
	response, err := db.read(ctx, &pb.TxnRequest{Success: []*pb.RequestOp{
		getOp(n.at.meta()), getOp(n.at.left()), getOp(n.at.leads()),
		rangeOp(&pb.RangeRequest{Key: from, RangeEnd: end, KeysOnly: true, Limit: 1}),
	}})
	if err != nil {
		return n, err
	}
	n.meta, n.left, n.leads = first(response.Responses[0]), first(response.Responses[1]), first(response.Responses[2])
	n.any = first(response.Responses[3]) != nil
	return n, nil
}

// Exists reports whether there is a store with a name. If there is none, one can be made.
// Errors: those of a read; kv.ErrInvalid (the name, or one that a store had before), and
// kv.ErrForeign.
func (db *Database) Exists(ctx context.Context, space string) (bool, error) {
	n, err := db.find(ctx, space)
	if err != nil {
		return false, fmt.Errorf("etcdkv: look for the store %q: %w", space, err)
	}
	_, there, err := n.place()
	switch {
	case err == nil && n.left != nil && !there:
		err = errLeft
	case err == nil && n.any && !there:
		err = errForeign
	}
	return there, err
}

var (
	errLeft    = fmt.Errorf("%w: the store that was made under this name has another one now", kv.ErrInvalid)
	errForeign = fmt.Errorf("%w: there are keys of others below its name", kv.ErrForeign)
)

// Names returns those of the stores that begin with a text, in the order of their bytes:
// a round trip for each. Errors: those of a read.
func (db *Database) Names(ctx context.Context, prefix string) (names []string, err error) {
	from, end := []byte(prefix), endOf([]byte(prefix))
	for {
		response, err := db.read(ctx, &pb.TxnRequest{Success: []*pb.RequestOp{
			rangeOp(&pb.RangeRequest{Key: orFirst(from), RangeEnd: end, KeysOnly: true, Limit: 1}),
		}})
		if err != nil {
			return nil, fmt.Errorf("etcdkv: %w", err)
		}
		found := first(response.Responses[0])
		if found == nil {
			return names, nil
		}
		name, _, below := bytes.Cut(found.Key, []byte{0})
		if !below || len(name) == 0 || len(name) > maxSpace { // somebody else's key
			from = after(found.Key)
			continue
		}
		n, err := db.find(ctx, string(name))
		if err != nil {
			return nil, fmt.Errorf("etcdkv: %w", err)
		}
		if _, there, err := n.place(); there || err != nil {
			names = append(names, string(name))
		}
		from = endOf(append(name, 0))
	}
}

// orFirst is the key itself, and the first there may be for none.
func orFirst(key []byte) []byte {
	if len(key) == 0 {
		return []byte{0}
	}
	return key
}

// Rename gives a store a name that no other has. It stays where it is, so that the name
// under which it was made does not get free. Nobody should have it open: whoever has goes
// on. Errors: those of a commit; kv.ErrInvalid for a name that is not free, and for a store
// that is not there.
func (db *Database) Rename(ctx context.Context, space, to string) error {
	if err := db.rename(ctx, space, to); err != nil {
		return fmt.Errorf("etcdkv: rename the store %q: %w", space, err)
	}
	return nil
}

func (db *Database) rename(ctx context.Context, space, to string) error {
	as, err := placeOf(to)
	if err != nil {
		return err
	}
	n, err := db.find(ctx, space)
	if err != nil {
		return err
	}
	at, there, err := n.place()
	switch {
	case err != nil:
		return err
	case !there:
		return fmt.Errorf("%w: there is no such store", kv.ErrInvalid)
	}
	leave := deleteOp(n.at.leads(), nil)
	if n.leads == nil {
		leave = putOp(n.at.left(), nil)
	}
	from, end := as.whole()
	done, err := db.write(ctx, &pb.TxnRequest{
		Compare: append(n.stands(), modified(pb.Compare_EQUAL, 0, from, end)),
		Success: []*pb.RequestOp{leave, putOp(as.leads(), []byte(at.name()))},
	})
	if err == nil && !done.Succeeded {
		err = fmt.Errorf("%w: the name %q is not free", kv.ErrInvalid, to)
	}
	return err
}

// Remove removes a store with all that is in it, for good; of one that is not there
// nothing. Errors: those of a commit, and kv.ErrInvalid (the name).
func (db *Database) Remove(ctx context.Context, space string) error {
	if err := db.removeStore(ctx, space); err != nil {
		return fmt.Errorf("etcdkv: remove the store %q: %w", space, err)
	}
	return nil
}

func (db *Database) removeStore(ctx context.Context, space string) error {
	n, err := db.find(ctx, space)
	if err != nil {
		return err
	}
	at, there, err := n.place()
	if err != nil || !there {
		return err
	}
	from, end := at.whole()
	ops := []*pb.RequestOp{deleteOp(from, end)}
	if n.leads != nil {
		ops = append(ops, deleteOp(n.at.leads(), nil))
	}
	done, err := db.write(ctx, &pb.TxnRequest{Compare: n.stands(), Success: ops})
	if err == nil && !done.Succeeded {
		err = fmt.Errorf("%w: it was given another name meanwhile", kv.ErrUnavailable)
	}
	return err
}

// name is the opposite of placeOf.
func (p place) name() string { return strings.TrimSuffix(string(p), "\x00") }
