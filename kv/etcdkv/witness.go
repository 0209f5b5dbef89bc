package etcdkv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
)

var _ witness.Keeper = (*Store)(nil)

// Witness implements witness.Keeper: a key in the store, which knows in which cluster it
// was written and so shows a backup that was restored into a new one; and where
// WithWitnessDir names a directory, a file in it, which knows how far the store had come.
func (s *Store) Witness() witness.Witness { return s.witness }

// keeper is the witness of a store. What is in etcd goes back with the store: of it only
// the cluster counts, and whose mark it is.
type keeper struct {
	store *Store
	file  *witness.File // nil without a directory

	mu    sync.Mutex
	saved witness.Mark // in etcd, as far as this process knows
}

var _ witness.Witness = (*keeper)(nil)

func newKeeper(s *Store) *keeper {
	k := &keeper{store: s}
	if dir := s.db.set.witnessDir; dir != "" {
		name := sha256.Sum256([]byte(s.at))
		k.file = witness.NewHostFile(filepath.Join(dir, hex.EncodeToString(name[:16])+".witness"))
	}
	return k
}

// page is what the key holds.
type page struct {
	Store      string     `json:"store"` // in hexadecimal
	Generation uint64     `json:"generation"`
	Head       kv.Version `json:"head"`
	Cluster    uint64     `json:"cluster"`
}

// mark fails with witness.ErrDamaged.
func (p page) mark() (m witness.Mark, err error) {
	id, err := hex.DecodeString(p.Store)
	if err != nil || len(id) != len(m.Store) || p.Generation == 0 {
		return m, fmt.Errorf("%w: key w of the store in etcd", witness.ErrDamaged)
	}
	return witness.Mark{Store: witness.StoreID(id), Generation: p.Generation, Head: p.Head}, nil
}

// Load implements witness.Witness. A file that is missing, or came with an image, says
// nothing: the host is a new one.
func (k *keeper) Load(ctx context.Context) (witness.Mark, error) {
	p, _, err := k.read(ctx)
	if err != nil {
		return witness.Mark{}, err
	}
	m, err := p.mark()
	switch {
	case err != nil:
		return m, err
	case p.Cluster != k.store.cluster:
		return m, fmt.Errorf("%w: the mark was made in cluster %x, and this is %x", witness.ErrCopied, p.Cluster, k.store.cluster)
	case k.file == nil:
		return m, nil
	}
	seen, err := k.file.Load(ctx)
	switch {
	case errors.Is(err, witness.ErrNone), errors.Is(err, witness.ErrCopied), errors.Is(err, witness.ErrDamaged):
		return m, nil
	case err != nil:
		return m, err
	}
	if seen.Store == m.Store && seen.Supersedes(m) {
		return seen, nil
	}
	return m, nil
}

// read reads the key. Errors: witness.ErrNone, witness.ErrDamaged, those of a read.
func (k *keeper) read(ctx context.Context) (p page, found *mvccpb.KeyValue, err error) {
	response, err := k.store.read(ctx, &pb.TxnRequest{Success: []*pb.RequestOp{getOp(k.store.at.witness())}})
	if err != nil {
		return p, nil, err
	}
	if found = first(response.Responses[0]); found == nil {
		return p, nil, witness.ErrNone
	}
	if err := json.Unmarshal(found.Value, &p); err != nil {
		return p, found, fmt.Errorf("%w: key w of the store in etcd", witness.ErrDamaged)
	}
	return p, found, nil
}

// Save implements witness.Witness. In etcd only another store or generation is written: how
// far the store has come shows there anyway.
func (k *keeper) Save(ctx context.Context, m witness.Mark) error {
	k.mu.Lock()
	known := k.saved.Store == m.Store && k.saved.Generation >= m.Generation
	k.mu.Unlock()
	for tries := 0; !known; tries++ {
		var err error
		if known, err = k.put(ctx, m); err != nil {
			return err
		}
		if tries == maxTries {
			return fmt.Errorf("%w: other processes save other marks again and again", kv.ErrUnavailable)
		}
	}
	if k.file == nil {
		return nil
	}
	return k.file.Save(ctx, m)
}

// put writes the mark unless the one that is there supersedes it, and reports whether
// nobody else was at it.
func (k *keeper) put(ctx context.Context, m witness.Mark) (done bool, err error) {
	p, found, err := k.read(ctx)
	if err != nil && !errors.Is(err, witness.ErrNone) && !errors.Is(err, witness.ErrDamaged) {
		return false, err
	}
	old, damaged := p.mark()
	if err == nil && damaged == nil && p.Cluster == k.store.cluster && old.Store == m.Store && old.Generation >= m.Generation {
		k.note(old)
		return true, nil
	}
	var revision int64
	if found != nil {
		revision = found.ModRevision
	}
	key := k.store.at.witness()
	response, err := k.store.db.write(ctx, &pb.TxnRequest{
		Compare: []*pb.Compare{modified(pb.Compare_EQUAL, revision, key, nil)},
		Success: []*pb.RequestOp{putOp(key, encode(page{
			Store: m.Store.String(), Generation: m.Generation, Head: m.Head, Cluster: k.store.cluster,
		}))},
		Failure: []*pb.RequestOp{getOp(key)},
	})
	if err != nil {
		return false, err
	}
	if response.Succeeded {
		k.note(m)
	}
	return response.Succeeded, nil
}

func (k *keeper) note(m witness.Mark) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.saved = m
}

// close ends the file.
func (k *keeper) close() error {
	if k.file == nil {
		return nil
	}
	return errors.Join(k.file.Keep(), k.file.Close())
}
