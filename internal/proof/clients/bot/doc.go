// Package bot starts Matrix clients as processes and drives them: one JSON object a
// line, commands on standard input, answers and events on standard output. A client
// of any kind that speaks this can take part in the tests.
//
// A command {"id": 7, "cmd": NAME, ...} is answered by {"id": 7, "ok": true, ...} or
// {"id": 7, "ok": false, "error": TEXT}, in any order. Events have no id. The commands:
//
//	login   homeserver, store, user_id, device_id, access_token   opens or makes the device
//	start                                        begins to sync, from where it stopped
//	stop                                         ends syncing, once all that came is processed
//	join    room
//	send    room, body                           event_id: sends an encrypted m.text
//	read    room, event_id, timeout_ms           body, sender: fetches an event and decrypts it
//	later   timeout_ms                           sets the clock ahead: peers only
//	quit                                         closes the store and exits with status 0
//
// Of Pawl's clients only, whose processes share a store:
//
//	check                                        fails if anything in the store is broken
//	sweep                                        erases what is no longer needed now
//	meet    kind, count     the next commit of that kind waits for those of other processes
//	die     count           ends as by SIGKILL once so many more commits are made
//
// The events: message (room, event_id, sender, body, encrypted), undecryptable (room,
// event_id, sender, error), synced, sync_error (error), met.
package bot
