// Made by internal/calls (go test ./internal/calls -run TestWeb -update): do not edit.

import type { Bytes, CallFailure, CallOptions, Machine } from "./pawl.js";

/** The codes of errors that calls have; docs/errors.md says what each means. */
export type CallCode =
	| "undecided"
	| "not_erased"
	| "unknown"
	| "starved"
	| "no_session"
	| "newer"
	| "keyring"
	| "corrupt"
	| "unusable"
	| "foreign"
	| "unsupported"
	| "retired"
	| "needs_recovery"
	| "unwitnessed"
	| "no_account"
	| "account_exists"
	| "format1"
	| "moved_on"
	| "not_empty"
	| "copy_differs"
	| "not_retired"
	| "nothing_to_move"
	| "passphrase"
	| "cost"
	| "no_key"
	| "room_key_file"
	| "room_key_file_changed"
	| "room_key_file_use"
	| "user_id"
	| "device_id"
	| "room_id"
	| "event_id"
	| "key_id"
	| "key"
	| "json"
	| "signature"
	| "unsigned"
	| "identity"
	| "key_count"
	| "key_stage"
	| "unknown_key_id"
	| "keys_full"
	| "keys_exhausted"
	| "import"
	| "import_begun"
	| "pickle_key"
	| "pickle_version"
	| "pickle_damaged"
	| "no_request"
	| "device_taken"
	| "answer"
	| "response"
	| "event"
	| "event_size"
	| "not_olm"
	| "not_for_us"
	| "other_sender"
	| "payload"
	| "unencrypted"
	| "message_type"
	| "version"
	| "malformed"
	| "sender_mismatch"
	| "self"
	| "already_processed"
	| "unknown_one_time_key"
	| "one_time_key_used"
	| "session_pruned"
	| "ratchet_key"
	| "untried"
	| "unknown_session"
	| "key_gone"
	| "gap"
	| "unknown_chain"
	| "zero_secret"
	| "exhausted"
	| "mac"
	| "not_shared"
	| "rotate"
	| "settings"
	| "no_room_key"
	| "too_early"
	| "forgotten"
	| "replay"
	| "other_room"
	| "other_user"
	| "content"
	| "algorithm"
	| "session_id"
	| "plain"
	| "not_requested"
	| "nobody_to_ask"
	| "unsettled"
	| "contradicts"
	| "provenance"
	| "extra"
	| "forget_all"
	| "set_aside"
	| "disk_full"
	| "too_large"
	| "in_use"
	| "superseded"
	| "deleted"
	| "closed"
	| "invalid"
	| "unavailable"
	| "canceled"
	| "deadline"
	| "other"
	| "handle"
	| "params"
	| "no_call"
	| "forked"
	| "end"
	| "failed"
	;

export interface AccountsResult {
	accounts: Array<{
		userId: string;
		deviceId: string;
		curve25519: string;
		ed25519: string;
		created: number | null;
	}>;
}

export interface CheckStoreResult {
	findings: Array<{
		user: string;
		device: string;
		kind: string;
		broken: string;
		repair: string;
	}>;
}

export interface CreateParams {
	user?: string;
	device?: string;
}

export interface DeleteParams {
	user?: string;
	device?: string;
}

export interface MachineParams {
	user?: string;
	device?: string;
}

export interface OpenOrCreateParams {
	user?: string;
	device?: string;
}

export interface RepairResult {
	findings: Array<{
		user: string;
		device: string;
		kind: string;
		broken: string;
		repair: string;
	}>;
}

export interface RetirementsResult {
	moved: Array<{
		at: number | null;
		target: string;
		path: string;
	}>;
	active: number;
}

export interface StatsResult {
	transactions: number;
	released: number;
	attempts: number;
	committed: boolean;
	conflicts: number;
	kinds: Record<string, number>;
	stale: number;
	joins: number;
	turns: number;
	unknown: number;
	roundTrips: number;
	hits: number;
	misses: number;
	reading: number;
	committing: number;
	time: number;
}

export interface StoreCalls {
	accounts(options?: CallOptions): Promise<AccountsResult>;
	/** body: the new key, 32 bytes. */
	changeKey(body: Bytes, options?: CallOptions): Promise<void>;
	/** body: the new passphrase. */
	changePassphrase(body: Bytes, options?: CallOptions): Promise<void>;
	checkStore(options?: CallOptions): Promise<CheckStoreResult>;
	create(params: CreateParams, options?: CallOptions): Promise<Machine>;
	delete(params: DeleteParams, options?: CallOptions): Promise<void>;
	erase(options?: CallOptions): Promise<void>;
	machine(params: MachineParams, options?: CallOptions): Promise<Machine>;
	openOrCreate(params: OpenOrCreateParams, options?: CallOptions): Promise<Machine>;
	repair(options?: CallOptions): Promise<RepairResult>;
	retirements(options?: CallOptions): Promise<RetirementsResult>;
	stats(options?: CallOptions): Promise<StatsResult>;
	yield(options?: CallOptions): Promise<void>;
}

export interface AbandonParams {
	oneTimeKeys?: Array<string>;
	fallback?: string;
}

export interface AcceptIdentityParams {
	user?: string;
	master?: string;
}

export interface AcknowledgeParams {
	receipts?: Array<string>;
}

export interface AcknowledgeKnownParams {
	receipts?: Array<string>;
}

export interface AcknowledgeKnownResult {
	known: number;
}

export interface ChangeExtraParams {
	space?: string;
	name?: string;
	old?: Uint8Array | null;
	new?: Uint8Array | null;
}

export interface ChangeExtraResult {
	changed: boolean;
	value: Uint8Array | null;
}

export interface CheckResult {
	broken: Array<string>;
}

export interface DecryptParams {
	sender?: string;
	message?: {
		type?: number;
		body?: Uint8Array;
	};
}

export interface DecryptResult {
	plaintext: Uint8Array;
	duplicate: boolean;
	session: string;
	receipt: string;
	damaged: number;
	reopened: boolean;
}

export interface DecryptBatchParams {
	messages?: Array<{
		sender?: string;
		message?: {
			type?: number;
			body?: Uint8Array;
		};
	}>;
}

export interface DecryptBatchResult {
	results: Array<{
		plaintext: Uint8Array;
		duplicate: boolean;
		session: string;
		receipt: string;
		damaged: number;
		reopened: boolean;
		err: CallFailure | null;
	}>;
}

export interface DecryptRoomEventParams {
	room?: string;
	id?: string;
	sender?: string;
	allowMismatched?: boolean;
}

export interface DecryptRoomEventResult {
	type: string;
	content: string | null;
	stateKey: string | null;
	session: string;
	index: number;
	provenance: "backup" | "bundle" | "direct" | "file" | "forwarded" | "";
	sender: {
		curve25519: string;
		ed25519: string;
		device: {
			user: string;
			device: string;
		};
		state: "disputed" | "gone" | "known" | "mismatched" | "unknown" | "";
		trust: "cross_signed" | "unsigned" | "verified" | "";
		identity: "changed" | "none" | "pinned" | "verified" | "";
	};
	forwarder: {
		curve25519: string;
		ed25519: string;
		device: {
			user: string;
			device: string;
		};
		state: "disputed" | "gone" | "known" | "mismatched" | "unknown" | "";
		trust: "cross_signed" | "unsigned" | "verified" | "";
		identity: "changed" | "none" | "pinned" | "verified" | "";
	} | null;
	sharedHistory: boolean;
	damaged: number;
}

export interface DevicesParams {
	user?: string;
}

export interface DevicesResult {
	user: string;
	devices: Array<{
		user: string;
		device: string;
		curve25519: string;
		ed25519: string;
		olm: boolean;
		megolm: boolean;
		displayName: string;
		trust: "cross_signed" | "unsigned" | "verified" | "";
		usable: boolean;
		signedBy: string;
		seen: number | null;
		gone: number | null;
	}>;
	identity: {
		user: string;
		master: string;
		selfSigning: string;
		userSigning: string;
		vouchedBy: string;
		signedHere: boolean;
	};
	changed: boolean;
	verified: boolean;
	compared: boolean;
	current: boolean;
	refused: Array<{
		device: string;
		reason: string;
	}>;
	refusedCount: number;
	damaged: number;
}

export interface EncryptParams {
	peer?: string;
	oneTimeKey?: string;
}

export interface EncryptResult {
	message: {
		type: number;
		body: Uint8Array;
	};
	session: string;
	damaged: number;
}

export interface EncryptRoomEventParams {
	room?: string;
	type?: string;
	stateKey?: string | null;
	relationInside?: boolean;
	relationOutside?: string | null;
}

export interface EncryptRoomEventResult {
	content: string | null;
}

export interface ExportRoomKeyFileParams {
	passphrase?: string;
	rooms?: Array<string>;
}

export interface ExportRoomKeyFileResult {
	file: string;
	count: number;
}

export interface ExtraParams {
	space?: string;
	name?: string;
}

export interface ExtraResult {
	value: Uint8Array | null;
}

export interface ExtrasParams {
	space?: string;
}

export interface ExtrasResult {
	extras: Array<{
		name: string;
		value: Uint8Array;
	}>;
}

export interface ForgetRoomKeysParams {
	room?: string;
	device?: string;
	session?: string;
	below?: number;
}

export interface ForgetRoomKeysResult {
	forgotten: number;
}

export interface IdentityResult {
	userId: string;
	deviceId: string;
	curve25519: string;
	ed25519: string;
	created: number | null;
}

export interface ImportRoomKeyFileParams {
	passphrase?: string;
	rooms?: Array<string>;
	dryRun?: boolean;
}

export interface ImportRoomKeyFileResult {
	new: number;
	better: number;
	same: number;
	refused: number;
	keys: Array<{
		place: number;
		room: string;
		session: string;
		err: CallFailure | null;
	}>;
}

export interface ImportRoomKeysParams {
	keys?: Array<{
		roomId?: string;
		sessionId?: string;
		sessionKey?: Uint8Array;
		senderKey?: string;
		senderClaimedEd25519Key?: string;
		giver?: string;
		provenance?: "backup" | "bundle" | "direct" | "file" | "forwarded" | "";
		sharedHistory?: boolean;
	}>;
}

export interface ImportRoomKeysResult {
	new: number;
	better: number;
	same: number;
	refused: Array<{
		place: number;
		room: string;
		session: string;
		err: CallFailure | null;
	}>;
}

export interface InheritRoomKeysParams {
	user?: string;
	device?: string;
}

export interface InheritRoomKeysResult {
	new: number;
	better: number;
	same: number;
	refused: Array<{
		place: number;
		room: string;
		session: string;
		err: CallFailure | null;
	}>;
}

export interface InspectResult {
	damaged: Array<CallFailure | null>;
	identity: {
		userId: string;
		deviceId: string;
		curve25519: string;
		ed25519: string;
		created: number | null;
	};
	retired: string;
	recovery: string;
	keys: {
		generated: number;
		offered: number;
		published: number;
		abandoned: number;
		used: number;
		nextId: string;
		fallback: string;
		previousFallback: string;
	};
	peers: Array<{
		curve25519: string;
		version: number;
		sessions: Array<{
			id: string;
			version: number;
			origin: "fallback_key" | "one_time_key" | "outbound" | "";
			created: number | null;
			lastReceived: number | null;
			lastSent: number | null;
			receiveOnly: boolean;
			sending: {
				ratchetKey: string;
				index: number;
				skipped: number;
			} | null;
			receiving: Array<{
				ratchetKey: string;
				index: number;
				skipped: number;
			}>;
		}>;
	}>;
	receipts: {
		open: number;
		acknowledged: number;
	};
	rooms: Array<{
		room: string;
		encrypted: boolean;
		session: string;
		messages: number;
		why: "asked" | "device_not_allowed" | "recovered" | "settings_changed" | "somebody_left" | "too_many_messages" | "too_old" | "visibility_changed" | "";
		given: number;
		withheld: number;
		waiting: number;
	}>;
	devices: Array<{
		user: string;
		device: string;
		curve25519: string;
		gone: number | null;
		disputed: boolean;
	}>;
	requests: Array<{
		id: string;
		kind: string;
		made: number | null;
		handed: number;
		failures: number;
	}>;
	unreadable: Array<{
		curve25519: string;
		user: string;
		first: number | null;
		last: number | null;
		why: string;
		tries: number;
		tried: number | null;
		heard: number | null;
	}>;
	records: Record<string, number>;
}

export interface KeysForUploadParams {
	count?: number;
}

export interface KeysForUploadResult {
	body: string | null;
	oneTimeKeys: Array<string>;
	fallback: string;
	evicted: Array<string>;
}

export interface LostSyncParams {
	ticket?: number;
}

export interface MarkFailedParams {
	request?: string;
	why?: string;
	status?: number;
	until?: number | null;
}

export interface MarkPublishedParams {
	oneTimeKeys?: Array<string>;
	fallback?: string;
}

export interface MarkSentParams {
	request?: string;
}

export interface MembersChangedParams {
	room?: string;
	changes?: Array<{
		user?: string;
		membership?: "ban" | "invite" | "join" | "knock" | "leave" | "";
	}>;
	limited?: boolean;
}

export interface NeedsRecoveryResult {
	needed: boolean;
	since: number | null;
	cause: string;
}

export interface NextSlidingSyncResult {
	ticket: number;
	since: string;
	pos: string;
	toDeviceSince: string;
}

export interface NextSyncResult {
	ticket: number;
	since: string;
	pos: string;
	toDeviceSince: string;
}

export interface OutgoingRequestsResult {
	requests: Array<{
		id: string;
		kind: "keys_claim" | "keys_query" | "keys_upload" | "send_to_device" | "";
		method: string;
		path: string;
		eventType: string;
		body: string | null;
	}>;
}

export interface OutstandingResult {
	body: string | null;
	oneTimeKeys: Array<string>;
	fallback: string;
	evicted: Array<string>;
}

export interface PutRoomKeysParams {
	keys?: Array<{
		roomId?: string;
		sessionId?: string;
		sessionKey?: Uint8Array;
		senderKey?: string;
		senderClaimedEd25519Key?: string;
		giver?: string;
		provenance?: "backup" | "bundle" | "direct" | "file" | "forwarded" | "";
		sharedHistory?: boolean;
	}>;
}

export interface PutRoomKeysResult {
	new: number;
	better: number;
	same: number;
	refused: Array<{
		place: number;
		room: string;
		session: string;
		err: CallFailure | null;
	}>;
}

export interface ReceiveSyncParams {
	ticket?: number;
	holdToken?: boolean;
}

export interface ReceiveSyncResult {
	events: Array<{
		index: number;
		sender: string;
		type: string;
		content: string | null;
		encrypted: boolean;
		senderKey: string;
		ed25519: string;
		device: string;
		duplicate: boolean;
		receipt: string;
		kept: string | null;
	}>;
	refused: Array<{
		index: number;
		sender: string;
		type: string;
		err: CallFailure | null;
		kept: boolean;
	}>;
	roomKeys: Array<{
		room: string;
		session: string;
	}>;
	duplicates: number;
	advanced: boolean;
	held: number;
}

export interface ReceiveTransactionParams {
	id?: string;
}

export interface ReceiveTransactionResult {
	events: Array<{
		index: number;
		sender: string;
		type: string;
		content: string | null;
		encrypted: boolean;
		senderKey: string;
		ed25519: string;
		device: string;
		duplicate: boolean;
		receipt: string;
		kept: string | null;
	}>;
	refused: Array<{
		index: number;
		sender: string;
		type: string;
		err: CallFailure | null;
		kept: boolean;
	}>;
	roomKeys: Array<{
		room: string;
		session: string;
	}>;
	duplicates: number;
	advanced: boolean;
	held: number;
}

export interface RecoverResult {
	sessions: number;
	oneTimeKeys: number;
	damaged: number;
}

export interface RequestRoomKeyParams {
	room?: string;
	session?: string;
}

export interface RoomParams {
	room?: string;
}

export interface RoomResult {
	encrypted: boolean;
	unsupported: boolean;
	settings: {
		messages: number;
		age: number;
		visibility: "invited" | "joined" | "shared" | "world_readable" | "";
		strategy: "all_devices" | "by_caller" | "cross_signed" | "verified" | "";
	};
	session: string;
	messages: number;
	why: "asked" | "device_not_allowed" | "recovered" | "settings_changed" | "somebody_left" | "too_many_messages" | "too_old" | "visibility_changed" | "";
	shared: boolean;
	changes: number;
}

export interface RoomKeyParams {
	session?: string;
}

export interface RoomKeyResult {
	key: {
		roomId: string;
		sessionId: string;
		sessionKey: Uint8Array;
		senderKey: string;
		senderClaimedEd25519Key: string;
		giver: string;
		provenance: "backup" | "bundle" | "direct" | "file" | "forwarded" | "";
		sharedHistory: boolean;
	};
}

export interface RotateRoomKeyParams {
	room?: string;
}

export interface SessionsParams {
	peer?: string;
}

export interface SessionsResult {
	sessions: Array<{
		id: string;
		version: number;
		origin: "fallback_key" | "one_time_key" | "outbound" | "";
		created: number | null;
		lastReceived: number | null;
		lastSent: number | null;
		receiveOnly: boolean;
		sending: {
			ratchetKey: string;
			index: number;
			skipped: number;
		} | null;
		receiving: Array<{
			ratchetKey: string;
			index: number;
			skipped: number;
		}>;
	}>;
}

export interface ShareRoomKeyParams {
	room?: string;
	members?: Array<string>;
	algorithm?: string;
	messages?: number;
	age?: number;
	visibility?: "invited" | "joined" | "shared" | "world_readable" | "";
	strategy?: "all_devices" | "by_caller" | "cross_signed" | "verified" | "";
	allow?: Array<{
		user?: string;
		device?: string;
	}> | null;
}

export interface ShareRoomKeyResult {
	session: string;
	done: boolean;
	requests: Array<{
		id: string;
		kind: "keys_claim" | "keys_query" | "keys_upload" | "send_to_device" | "";
		method: string;
		path: string;
		eventType: string;
		body: string | null;
	}>;
	waiting: Array<string>;
	nobodyVerified: boolean;
}

export interface SignResult {
	object: string | null;
}

export interface StoreTokenParams {
	held?: number;
}

export interface StoreTokenResult {
	advanced: boolean;
}

export interface SweepParams {
	now?: number | null;
}

export interface SweepResult {
	erased: number;
	receipts: number;
	sessions: number;
	strangers: number;
	oneTimeKeys: number;
	damaged: number;
	fallbackKeys: number;
}

export interface TakeSignatureParams {
	user?: string;
	master?: string;
	by?: string;
	signature?: string;
}

export interface TakeSignatureResult {
	taken: boolean;
}

export interface TrackUsersParams {
	users?: Array<string>;
}

export interface VerifyIdentityParams {
	user?: string;
	master?: string;
}

export interface WaitForRoomKeyParams {
	room?: string;
	session?: string;
	sender?: string;
}

export interface MachineCalls {
	abandon(params: AbandonParams, options?: CallOptions): Promise<void>;
	acceptIdentity(params: AcceptIdentityParams, options?: CallOptions): Promise<void>;
	acknowledge(params: AcknowledgeParams, options?: CallOptions): Promise<void>;
	acknowledgeKnown(params: AcknowledgeKnownParams, options?: CallOptions): Promise<AcknowledgeKnownResult>;
	changeExtra(params: ChangeExtraParams, options?: CallOptions): Promise<ChangeExtraResult>;
	check(options?: CallOptions): Promise<CheckResult>;
	decrypt(params: DecryptParams, options?: CallOptions): Promise<DecryptResult>;
	decryptBatch(params: DecryptBatchParams, options?: CallOptions): Promise<DecryptBatchResult>;
	/** body: the content of the event, JSON. */
	decryptRoomEvent(params: DecryptRoomEventParams, body: Bytes, options?: CallOptions): Promise<DecryptRoomEventResult>;
	devices(params: DevicesParams, options?: CallOptions): Promise<DevicesResult>;
	/** body: the plaintext. */
	encrypt(params: EncryptParams, body: Bytes, options?: CallOptions): Promise<EncryptResult>;
	/** body: the content, JSON. */
	encryptRoomEvent(params: EncryptRoomEventParams, body: Bytes, options?: CallOptions): Promise<EncryptRoomEventResult>;
	exportRoomKeyFile(params: ExportRoomKeyFileParams, options?: CallOptions): Promise<ExportRoomKeyFileResult>;
	extra(params: ExtraParams, options?: CallOptions): Promise<ExtraResult>;
	extras(params: ExtrasParams, options?: CallOptions): Promise<ExtrasResult>;
	forgetRoomKeys(params: ForgetRoomKeysParams, options?: CallOptions): Promise<ForgetRoomKeysResult>;
	identity(options?: CallOptions): Promise<IdentityResult>;
	/** body: the file. */
	importRoomKeyFile(params: ImportRoomKeyFileParams, body: Bytes, options?: CallOptions): Promise<ImportRoomKeyFileResult>;
	importRoomKeys(params: ImportRoomKeysParams, options?: CallOptions): Promise<ImportRoomKeysResult>;
	inheritRoomKeys(params: InheritRoomKeysParams, options?: CallOptions): Promise<InheritRoomKeysResult>;
	inspect(options?: CallOptions): Promise<InspectResult>;
	keysForUpload(params: KeysForUploadParams, options?: CallOptions): Promise<KeysForUploadResult>;
	lostSync(params: LostSyncParams, options?: CallOptions): Promise<void>;
	/** body: the body of the answer, of refused. */
	markFailed(params: MarkFailedParams, body: Bytes, options?: CallOptions): Promise<void>;
	markPublished(params: MarkPublishedParams, options?: CallOptions): Promise<void>;
	/** body: the response. */
	markSent(params: MarkSentParams, body: Bytes, options?: CallOptions): Promise<void>;
	membersChanged(params: MembersChangedParams, options?: CallOptions): Promise<void>;
	needsRecovery(options?: CallOptions): Promise<NeedsRecoveryResult>;
	nextSlidingSync(options?: CallOptions): Promise<NextSlidingSyncResult>;
	nextSync(options?: CallOptions): Promise<NextSyncResult>;
	outgoingRequests(options?: CallOptions): Promise<OutgoingRequestsResult>;
	outstanding(options?: CallOptions): Promise<OutstandingResult>;
	putRoomKeys(params: PutRoomKeysParams, options?: CallOptions): Promise<PutRoomKeysResult>;
	/** body: the response. */
	receiveSync(params: ReceiveSyncParams, body: Bytes, options?: CallOptions): Promise<ReceiveSyncResult>;
	/** body: the body of the transaction. */
	receiveTransaction(params: ReceiveTransactionParams, body: Bytes, options?: CallOptions): Promise<ReceiveTransactionResult>;
	recover(options?: CallOptions): Promise<RecoverResult>;
	requestRoomKey(params: RequestRoomKeyParams, options?: CallOptions): Promise<void>;
	room(params: RoomParams, options?: CallOptions): Promise<RoomResult>;
	roomKey(params: RoomKeyParams, options?: CallOptions): Promise<RoomKeyResult>;
	rotateRoomKey(params: RotateRoomKeyParams, options?: CallOptions): Promise<void>;
	sessions(params: SessionsParams, options?: CallOptions): Promise<SessionsResult>;
	shareRoomKey(params: ShareRoomKeyParams, options?: CallOptions): Promise<ShareRoomKeyResult>;
	/** body: the object, JSON. */
	sign(body: Bytes, options?: CallOptions): Promise<SignResult>;
	storeToken(params: StoreTokenParams, options?: CallOptions): Promise<StoreTokenResult>;
	sweep(params: SweepParams, options?: CallOptions): Promise<SweepResult>;
	takeSignature(params: TakeSignatureParams, options?: CallOptions): Promise<TakeSignatureResult>;
	trackUsers(params: TrackUsersParams, options?: CallOptions): Promise<void>;
	verifyIdentity(params: VerifyIdentityParams, options?: CallOptions): Promise<void>;
	waitForRoomKey(params: WaitForRoomKeyParams, options?: CallOptions): Promise<void>;
}

export interface EventsParams {
	after?: string;
}

export interface EventsResult {
	kind: "device" | "identity" | "refused" | "resync" | "room_key" | "unwedged" | "wedged" | "";
	position: string;
	room: string;
	session: string;
	index: number;
	device: {
		user: string;
		device: string;
		curve25519: string;
		ed25519: string;
		olm: boolean;
		megolm: boolean;
		displayName: string;
		signedBy: string;
		seen: number | null;
		gone: number | null;
		disputed: boolean;
	};
	identity: {
		user: string;
		master: string;
		selfSigning: string;
		userSigning: string;
		vouchedBy: string;
		signedHere: boolean;
		pinned: string;
		verified: string;
	};
	refused: {
		at: number | null;
		sender: string;
		senderKey: string;
		type: string;
		code: string;
		why: string;
	};
	wedge: {
		user: string;
		senderKey: string;
		since: number | null;
		why: string;
		tries: number;
		heard: number | null;
	};
}

export interface ExportRoomKeysParams {
	rooms?: Array<string>;
	skipDamaged?: boolean;
}

export interface ExportRoomKeysResult {
	key: {
		roomId: string;
		sessionId: string;
		sessionKey: Uint8Array;
		senderKey: string;
		senderClaimedEd25519Key: string;
		giver: string;
		provenance: "backup" | "bundle" | "direct" | "file" | "forwarded" | "";
		sharedHistory: boolean;
	} | null;
	damaged: CallFailure | null;
}

export interface MachineStreams {
	events(params: EventsParams, options?: CallOptions): AsyncIterableIterator<EventsResult>;
	exportRoomKeys(params: ExportRoomKeysParams, options?: CallOptions): AsyncIterableIterator<ExportRoomKeysResult>;
}
