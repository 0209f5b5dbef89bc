package main

// clients is the module of whole clients on a homeserver.
const clients = "internal/proof/clients"

// lifeMutants break what a homeserver and other clients must see, without a look at what
// Pawl keeps: the oracle of internal/proof/clients knows nothing of it. Each is caught
// every time by the scenario that it names, and not only by random rounds.
var lifeMutants = []mutant{
	{
		name: "seen by a homeserver: an upload is handed out twice",
		file: "internal/machine/records/request.go",
		old:  "return r.Reopened && r.Holder == to", new: "return true",
		test: "TestScenarios$/uploads_whose_answers_are_late,_pawl-.*_and_mautrix", dir: clients, pkgs: []string{"."},
	},
	{
		name: "seen by a homeserver: keys of an upload that was given up are offered again",
		file: "otk/pool.go",
		old:  "\t\te.Stage = stage\n", new: "\t\tif e.Stage = stage; to == Abandoned {\n\t\t\te.Stage, e.InBody = Generated, time.Time{}\n\t\t}\n",
		test: "TestScenarios$/killed_before_the_upload's_answer,_pawl-.*_and_mautrix", dir: clients, pkgs: []string{"."},
	},
	{
		name: "seen by a homeserver: an upload that may have arrived is forgotten",
		file: "internal/machine/keys/answer.go",
		old:  "\ts.pool, s.uploads, err = records.AbandonUpload(s.pool, s.uploads, s.now)",
		new: "\tfor e := range s.pool.Entries() {\n\t\tif e.Stage == otk.Offered {\n\t\t\t_ = records.Keys.Delete(s.tx, e.Public)\n\t\t\ts.pool = s.pool.Forget(e.Public)\n\t\t}\n\t}\n" +
			"\ts.pool, s.uploads, err = records.AbandonUpload(s.pool, s.uploads, s.now)",
		test: "TestScenarios$/killed_before_the_upload's_answer,_pawl-.*_and_mautrix", dir: clients, pkgs: []string{"."},
	},
	{
		name: "seen by a homeserver: a fallback key that has opened a session is in a body again",
		file: "internal/machine/keys/uploads.go",
		old:  "if fallback.Published || fallback.ID == s.uploads.Used {", new: "if fallback.Published {",
		test: "TestScenarios$/a_fallback_key_of_which_nobody_heard,_pawl-.*_and_mautrix", dir: clients, pkgs: []string{"."},
	},
	{
		name: "seen by a homeserver: a one-time key opens two sessions",
		file: "internal/machine/todevice/decrypt.go",
		old:  "case !key.Fallback():", new: "case false:",
		test: "TestUnwedging/a_one-time_key_is_handed_to_two_peers,_mautrix", dir: clients, pkgs: []string{"."},
	},
	{
		name: "seen by a homeserver: of the room keys of a commit only the first is kept",
		file: "internal/machine/receive/take.go",
		old:  "\t\tout.keys, err = c.others.RoomKey(tx, v, m)\n\tcase typeKeyRequest:\n\t\terr = c.others.KeyRequest(tx, v, m)\n\tcase typeDummy:",
		new:  "\t\tif r.Place > 1 {\n\t\t\treturn out, nil\n\t\t}\n\t\tout.keys, err = c.others.RoomKey(tx, v, m)\n\tcase typeKeyRequest:\n\t\terr = c.others.KeyRequest(tx, v, m)\n\tcase typeDummy:",
		test: "TestScenarios$/killed_in_a_sync,_pawl-.*_and_mautrix", dir: clients, pkgs: []string{"."},
	},
	{
		name: "seen by a homeserver: processes that have read the same both write",
		file: "txn/commit.go",
		old:  "if !r.scanned && !r.unread && (r.seen || r.joined && write) {", new: "if !write {",
		test: "TestScenarios$/at_one_step,_pawl-.*_and_mautrix", dir: clients, pkgs: []string{"."},
	},
	{
		name: "seen by a homeserver: what is sent in a room's session does not move it",
		file: "internal/machine/rooms/encrypt.go",
		old:  "records.Outbound.Put(tx, s.out.Sent(next, now))", new: "func() error { _ = next; return nil }()",
		test: "TestScenarios$/at_one_step,_pawl-.*_and_mautrix", dir: clients, pkgs: []string{"."},
	},
	{
		name: "seen by a homeserver: encrypting for a device does not move its session",
		file: "internal/machine/todevice/encrypt.go",
		old:  "return records.Sessions.Put(tx, s)", new: "return nil",
		test: "TestScenarios$/at_one_step,_pawl-.*_and_mautrix", dir: clients, pkgs: []string{"."},
	},
	{
		name: "seen by a homeserver: the token is stored before the events that it covers",
		file: "internal/machine/receive/response.go",
		old:  "\tif err := c.takeEvents(ctx); err != nil {\n\t\treturn c.out, err\n\t}\n\treturn c.out, c.end(ctx)\n",
		new:  "\tif err := c.end(ctx); err != nil {\n\t\treturn c.out, err\n\t}\n\treturn c.out, c.takeEvents(ctx)\n",
		test: "TestScenarios$/killed_in_a_sync,_pawl-.*_and_mautrix", dir: clients, pkgs: []string{"."},
	},
}
