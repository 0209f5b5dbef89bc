package broken

// Flaw is one thing that the engine does wrong.
type Flaw string

// What a commit can leave out.
const (
	None             Flaw = ""
	SkipReads        Flaw = "reads are not checked"
	SkipAbsence      Flaw = "reads of absence are not checked"
	SkipExistence    Flaw = "reads of what is absent now are not checked"
	SkipScans        Flaw = "scans are not checked"
	SkipPhantoms     Flaw = "of a scan only what it yielded is checked"
	SkipEmpty        Flaw = "batches without writes are not checked"
	SkipNames        Flaw = "conflicts name nothing"
	CheckThenAct     Flaw = "others may commit between the check and the writes"
	WriteOnConflict  Flaw = "a refused batch writes its first key"
	TornWrites       Flaw = "readers see half a commit"
	VersionsRestart  Flaw = "a key that is made anew starts at its first version"
	DeletionsUncount Flaw = "deletions do not count as commits"
	KeepsValue       Flaw = "the caller's bytes are kept, not copied"
	ReusesBytes      Flaw = "a new value overwrites the bytes of the old one"
	EmptyIsAbsent    Flaw = "a value of 0 bytes deletes"
	SameValueSkipped Flaw = "a put of the value that is there changes nothing"
	DeletedShows     Flaw = "a deleted key reads as an empty entry"
	CoarseConflicts  Flaw = "any commit since it began makes a batch conflict"
)

// What commit IDs can go without.
const (
	ForgetIDs      Flaw = "no commit ID is remembered"
	CheckBeforeID  Flaw = "reads are checked before the ID is looked up"
	NeverExpires   Flaw = "an ID that was dropped counts as new"
	RemembersAll   Flaw = "refused batches count as applied"
	StoresEmptyIDs Flaw = "batches without writes store their ID"
	LosesIDs       Flaw = "commit IDs are gone after opening again"
	ForgetsRefused Flaw = "a batch that came again and was refused is not remembered"
	RefusesApplied Flaw = "a batch that comes again is refused for its stale reads though it was applied"
	RefusesUnknown Flaw = "a batch that comes again and is not known is refused"
	RefusedRenewed Flaw = "a refused ID that was dropped counts as new"
	RefusedClog    Flaw = "dropped refusals make everything expired that began before the next commit"
	LosesRefused   Flaw = "refused IDs are gone after opening again"
	LosesLast      Flaw = "the latest commit is gone after opening again"
	LosesHead      Flaw = "opening again starts from the newest entry's version"
)

// MovesOn is no flaw: views take up newer states as long as all that they have
// returned stands.
const MovesOn Flaw = "views move on"

// What can be wrong with views.
const (
	MovesValues   Flaw = "a view moves on though a value that it has returned has changed"
	MovesAbsences Flaw = "a view moves on though what it found absent is there"
	MovesScans    Flaw = "a view moves on though a scan would yield something else"
	MovesParts    Flaw = "a view moves on though something was added where a scan that was broken off has passed"
	VersionAhead  Flaw = "the version of a view is the store's"
	ViewsEnd      Flaw = "a view is gone after its second call"
	ViewMoves     Flaw = "each call reads the latest state"
	ViewEager     Flaw = "the view is fixed before its first call"
	ViewLags      Flaw = "the view lacks the latest commit"
	ViewOutlast   Flaw = "closed views go on"
	LookWhole     Flaw = "a look at the first of many says that there are no others"
	GetUnique     Flaw = "a key asked for twice comes once"
	ScanOrder     Flaw = "scans come in any order"
	ScanEnd       Flaw = "the end of a prefix is its last byte plus one, even of 0xff"
)

// What can be wrong with watches and turns.
const (
	WatchFromNow    Flaw = "a watch begins with what comes next"
	WatchNoDeletion Flaw = "deletions are not told"
	WatchAnyPrefix  Flaw = "a watch tells of all keys"
	WatchStale      Flaw = "a watch tells of the state before"
	WatchDrops      Flaw = "a slow watcher is not told to resync"
	WatchSilent     Flaw = "a watch ends without an error"
	WatchHead       Flaw = "Head is ahead of what was told"
	TurnsIgnored    Flaw = "commits do not wait for turns"
	TurnsShared     Flaw = "turns are granted at once"
	TurnsForever    Flaw = "turns do not expire"
	TurnsGlobal     Flaw = "a turn holds up all keys"
	TurnsKeyed      Flaw = "a turn on the whole store holds up nobody"
	TurnsLinger     Flaw = "who gives up waiting keeps its place"
	TurnsOneByOne   Flaw = "the keys of a turn are taken one after the other"
	TurnsStrict     Flaw = "a commit under a turn that is over is refused"
	TurnsReversed   Flaw = "who asked last is granted first"
)

// What several stores of the same data can lack.
const (
	HandlesLag    Flaw = "what others commit is not seen before one commits"
	HandlesIDs    Flaw = "each store remembers the commit IDs of its own"
	HandlesTurns  Flaw = "turns hold within one store only"
	HandlesStarve Flaw = "turns are asked for when nobody in another store waits"
	HandlesDeaf   Flaw = "a watch is not told of new values"
	HandlesClose  Flaw = "closing one store closes all"
)

// What limits and ends can be passed over.
const (
	LimitIgnored     Flaw = "batches of any size are taken"
	EmptyScansFree   Flaw = "empty scans do not count as checks"
	LimitsBelowFloor Flaw = "fewer checks are taken than every engine takes"
	LimitsOverstated Flaw = "less is taken than the limits tell"
	LimitsChange     Flaw = "the limits are others after close"
	InvalidIgnored   Flaw = "keys of any length, written any number of times"
	CloseIgnored     Flaw = "commits go on after close"
	CloseOutwaited   Flaw = "a commit that waits when the store closes is applied"
	CloseLies        Flaw = "a commit that waits when the store closes is applied and refused"
	CancelIgnored    Flaw = "contexts are not looked at"
	CancelLies       Flaw = "a cancelled commit is applied"
	CancelIsUnknown  Flaw = "a commit cancelled before it began has an unknown outcome"
)
