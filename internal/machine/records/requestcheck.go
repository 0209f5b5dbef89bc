package records

import (
	"context"
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/txn"
)

// repairRequest sets a request aside that cannot be read, and deletes its body: both
// have the same name in their kinds.
func repairRequest(_ *Checkup, u unread) *Fix {
	return inOne("set it aside, and delete its body", func(tx *txn.Tx, a *machine.Account) error {
		done, err := machine.SetAside(tx, a, u.key, u.version, machine.Aside{Why: u.says})
		if err != nil || !done {
			return err
		}
		body := sameName(u.key, Requests.Kind, RequestBodies.Kind)
		if e, err := tx.Entry(body); err != nil || e.Version == 0 {
			return err
		}
		return tx.Drop(body)
	})
}

// repairRequestBody sets both aside: what made the request finds it gone, as if it had
// been refused.
func repairRequestBody(_ *Checkup, u unread) *Fix {
	return inOne("set it aside, and its request", func(tx *txn.Tx, a *machine.Account) error {
		done, err := machine.SetAside(tx, a, u.key, u.version, machine.Aside{Why: u.says})
		if err != nil || !done {
			return err
		}
		request := sameName(u.key, RequestBodies.Kind, Requests.Kind)
		e, err := tx.Entry(request)
		if err != nil || e.Version == 0 {
			return err
		}
		_, err = machine.SetAside(tx, a, request, e.Version, machine.Aside{Why: u.says})
		return err
	})
}

// sameName is the key of the record that has the same name in another kind.
func sameName(key, kind, other string) string {
	return strings.Replace(key, "/"+kind+"/", "/"+other+"/", 1)
}

// checkRequests: a request has its body. One without is given up: what made it
// finds it gone, as if it had been refused.
func checkRequests(c *Checkup) {
	for r := range readable(c, &Requests) {
		if s := at(c, &RequestBodies, r.ID); s == nothing || s == aside {
			says := fmt.Sprintf("request %s (%s) has no body", r.ID, r.Kind)
			c.Find(Requests.Kind, bodilessFix(r.ID, says), "%s", says)
		}
	}
}

func bodilessFix(id RequestID, why string) *Fix {
	return inOne("set the request aside", func(tx *txn.Tx, a *machine.Account) error {
		_, ok, err := RequestBodies.Get(tx, id)
		if ok || err != nil && !machine.IsSetAside(err) {
			return err
		}
		if _, there, err := Requests.Get(tx, id); !there || err != nil {
			return err
		}
		return setAsideRecord(tx, a, &Requests, id, machine.Aside{Why: why})
	})
}

// checkRequestBodies: a body has its request.
func checkRequestBodies(c *Checkup) {
	for b := range readable(c, &RequestBodies) {
		if s := at(c, &Requests, b.ID); s == nothing || s == aside {
			c.Find(RequestBodies.Kind, lonelyBodyFix(b.ID), "body %s has no request", b.ID)
		}
	}
}

func lonelyBodyFix(id RequestID) *Fix {
	return inOne("delete the body", func(tx *txn.Tx, _ *machine.Account) error {
		_, there, err := Requests.Get(tx, id)
		if there || err != nil && !machine.IsSetAside(err) {
			return err
		}
		return RequestBodies.Delete(tx, id)
	})
}

// requestShare is what deleting a request with its body takes of a commit.
var requestShare = machine.Share{Bytes: 256, Writes: 2, Checks: 2}

// sweepRequests deletes uploads that nobody knows to be under way: the record that
// named them was damaged. They are never handed out.
func sweepRequests(ctx context.Context, s *Sweep) error {
	_, err := machine.Change[RequestID, Request]{
		Records: &Requests, Each: requestShare, Damaged: &s.Damaged,
		If: func(tx *txn.Tx, r Request) (bool, error) {
			if r.Kind != UploadRequest && r.Kind != LookupRequest {
				return false, nil
			}
			u, _, err := UploadStates.Get(tx)
			if machine.IsSetAside(err) {
				err = nil
			}
			return u.Under.Request != r.ID && u.Lookup != r.ID, err
		},
		Do: func(tx *txn.Tx, r Request) error { return DeleteRequest(tx, r.ID) },
	}.All(ctx, s.Account)
	return err
}
