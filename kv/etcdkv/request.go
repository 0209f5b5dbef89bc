package etcdkv

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/pawlkv/pawl/kv"
)

// What transactions are made of. etcd counts the compares and the operations of each
// branch by themselves, and for a transaction within a branch what is left of the
// greatest of the three.

func getOp(key []byte) *pb.RequestOp {
	return rangeOp(&pb.RangeRequest{Key: key})
}

func rangeOp(r *pb.RangeRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
}

func putOp(key, value []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: value}}}
}

func deleteOp(key, end []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{
		RequestDeleteRange: &pb.DeleteRangeRequest{Key: key, RangeEnd: end},
	}}
}

func txnOp(t *pb.TxnRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: t}}
}

// modified compares the revision of all keys of a range, which is that of nothing, 0,
// where there is none. Without an end it is one key.
func modified(result pb.Compare_CompareResult, revision int64, key, end []byte) *pb.Compare {
	return &pb.Compare{
		Target: pb.Compare_MOD, Result: result, Key: key, RangeEnd: end,
		TargetUnion: &pb.Compare_ModRevision{ModRevision: revision},
	}
}

func absent(key []byte) *pb.Compare { return modified(pb.Compare_EQUAL, 0, key, nil) }

// checks returns the compares that hold if all of a batch's reads do, as many as
// Batch.Checks counts.
func (p place) checks(b *kv.Batch) []*pb.Compare {
	compares := make([]*pb.Compare, 0, b.Checks()+maxMoreOps)
	for _, r := range b.Reads {
		compares = append(compares, modified(pb.Compare_EQUAL, int64(r.Version), p.entry(r.Key), nil))
	}
	for _, scan := range b.Scans {
		compares = append(compares, p.scanChecks(scan)...)
	}
	return compares
}

// scanChecks returns one compare for each entry that a scan has yielded: of the range
// from it to the next, in which nothing is of another revision than the entry's. What
// came in between later is of a later one, and so is what was replaced; of nothing the
// revision is 0, so that deletions show. What has the very revision of the entry was
// there when the scan looked, and would have been yielded by itself.
func (p place) scanChecks(scan kv.ScanRead) []*pb.Compare {
	from, end := p.entries(scan.Prefix)
	if len(scan.Entries) == 0 {
		return []*pb.Compare{modified(pb.Compare_EQUAL, 0, from, end)}
	}
	compares := make([]*pb.Compare, len(scan.Entries))
	for i, entry := range scan.Entries {
		to := end
		if i+1 < len(scan.Entries) {
			to = p.entry(scan.Entries[i+1].Key)
		}
		compares[i] = modified(pb.Compare_EQUAL, int64(entry.Version), from, to)
		from = to
	}
	return compares
}

// looks returns the operations that show which reads and scans of a batch hold no more,
// one for each: no more keys of a scan than tell that there are others than it yielded.
func (p place) looks(b *kv.Batch) []*pb.RequestOp {
	ops := make([]*pb.RequestOp, 0, len(b.Reads)+len(b.Scans)+maxMoreOps)
	for _, r := range b.Reads {
		ops = append(ops, rangeOp(&pb.RangeRequest{Key: p.entry(r.Key), KeysOnly: true}))
	}
	for _, scan := range b.Scans {
		from, end := p.entries(scan.Prefix)
		ops = append(ops, rangeOp(&pb.RangeRequest{Key: from, RangeEnd: end, KeysOnly: true, Limit: int64(len(scan.Entries)) + 1}))
	}
	return ops
}

// stale returns what the answers to looks show, nil if all holds.
func (p place) stale(b *kv.Batch, answers []*pb.ResponseOp) error {
	var stale kv.ConflictError
	for i, r := range b.Reads {
		var version kv.Version
		for _, found := range answers[i].GetResponseRange().GetKvs() {
			version = kv.Version(found.ModRevision)
		}
		if version != r.Version {
			stale.Keys = append(stale.Keys, r.Key)
		}
	}
	for i, scan := range b.Scans {
		if !p.yields(scan, answers[len(b.Reads)+i].GetResponseRange()) {
			stale.Prefixes = append(stale.Prefixes, scan.Prefix)
		}
	}
	if len(stale.Keys)+len(stale.Prefixes) > 0 {
		return &stale
	}
	return nil
}

// yields reports whether a scan would still yield what it did.
func (p place) yields(scan kv.ScanRead, now *pb.RangeResponse) bool {
	if len(now.GetKvs()) != len(scan.Entries) {
		return false
	}
	for i, entry := range scan.Entries {
		found := now.Kvs[i]
		if p.keyOf(found.Key) != entry.Key || kv.Version(found.ModRevision) != entry.Version {
			return false
		}
	}
	return true
}
