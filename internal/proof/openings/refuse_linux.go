//go:build linux && (amd64 || arm64)

package openings

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Refuser makes calls of this process to the system fail, one after the other:
// by a filter of seccomp that asks, for each, a thread of the same process. It
// lasts as long as the process.
type Refuser struct {
	fd int
	// GoingOn is for how many calls an error goes on.
	GoingOn int

	mu      sync.Mutex
	armed   bool
	calls   int // since it was armed
	at      int // the call to fail, from 1 on; 0: none
	pick    func(call int) syscall.Errno
	refused string // what was failed
	err     syscall.Errno
}

// fileCalls are the calls by which files are used, with what the system may answer.
// Each number fits on amd64 and arm64.
var fileCalls = map[int][]syscall.Errno{
	unix.SYS_OPENAT:     {unix.EMFILE, unix.EACCES, unix.EIO, unix.EROFS, unix.ENOSPC},
	unix.SYS_MKDIRAT:    {unix.EACCES, unix.EROFS, unix.ENOSPC, unix.EIO},
	unix.SYS_UNLINKAT:   {unix.EACCES, unix.EROFS, unix.EIO},
	unix.SYS_RENAMEAT:   {unix.EACCES, unix.EROFS, unix.EIO, unix.ENOSPC},
	unix.SYS_LINKAT:     {unix.EIO, unix.EROFS, unix.ENOSPC},
	unix.SYS_READLINKAT: {unix.EIO, unix.EACCES},
	unix.SYS_FCHMODAT:   {unix.EPERM, unix.EROFS, unix.EIO},
	unix.SYS_FCHMOD:     {unix.EPERM, unix.EROFS, unix.EIO},
	unix.SYS_FTRUNCATE:  {unix.EFBIG, unix.EIO, unix.ENOSPC},
	unix.SYS_FALLOCATE:  {unix.EFBIG, unix.EIO, unix.ENOSPC},
	unix.SYS_FSYNC:      {unix.EIO, unix.ENOSPC},
	unix.SYS_FDATASYNC:  {unix.EIO, unix.ENOSPC},
	unix.SYS_WRITE:      {unix.EFBIG, unix.EIO, unix.ENOSPC},
	unix.SYS_PWRITE64:   {unix.EFBIG, unix.EIO, unix.ENOSPC},
	unix.SYS_READ:       {unix.EIO},
	unix.SYS_PREAD64:    {unix.EIO},
	unix.SYS_GETDENTS64: {unix.EIO},
	unix.SYS_FSTAT:      {unix.EIO},
	unix.SYS_STATX:      {unix.EIO, unix.EACCES},
	unix.SYS_STATFS:     {unix.EIO, unix.EACCES},
	unix.SYS_FSTATFS:    {unix.EIO},
	unix.SYS_FLOCK:      {unix.ENOLCK, unix.EIO},
	unix.SYS_FCNTL:      {unix.ENOLCK, unix.EIO},
	unix.SYS_BIND:       {unix.EACCES, unix.EROFS, unix.ENOSPC},
	unix.SYS_LISTEN:     {unix.ENOBUFS},
	sysFstatAt:          {unix.EIO, unix.EACCES},
}

// notification is struct seccomp_notif, and reply struct seccomp_notif_resp.
type (
	notification struct {
		id         uint64
		pid, flags uint32
		nr         int32
		arch       uint32
		ip         uint64
		args       [6]uint64
	}
	reply struct {
		id    uint64
		val   int64
		err   int32
		flags uint32
	}
)

// NewRefuser begins to look at the calls. It fails where the system does not let
// it.
func NewRefuser() (*Refuser, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const load, equal, answer = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	filter := []unix.SockFilter{{Code: load}} // the call's number
	left := len(fileCalls)
	for nr := range fileCalls {
		filter = append(filter, unix.SockFilter{Code: equal, Jt: uint8(left), K: uint32(nr)})
		left--
	}
	filter = append(filter, unix.SockFilter{Code: answer, K: unix.SECCOMP_RET_ALLOW}, unix.SockFilter{Code: answer, K: unix.SECCOMP_RET_USER_NOTIF})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return nil, err
	}
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return nil, fmt.Errorf("seccomp: %w", errno)
	}
	r := &Refuser{fd: int(fd)}
	go r.answer()
	return r, nil
}

// Arm fails the call that is the at-th from now on with what pick says for calls
// of its number, and after it those that fail for the same reason.
func (r *Refuser) Arm(at int, pick func(call int) syscall.Errno) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.armed, r.calls, r.at, r.pick, r.refused, r.err = true, 0, at, pick, "", 0
}

// Disarm fails no more. It returns which call failed, "" if there were fewer.
func (r *Refuser) Disarm() (refused string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.armed = false
	return r.refused
}

// answer answers for good. It uses no files, or it would wait for itself.
func (r *Refuser) answer() {
	runtime.LockOSThread()
	for {
		var n notification
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(r.fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); errno != 0 {
			continue // it was interrupted, or who asked is gone
		}
		a := reply{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if err := r.decide(&n); err != 0 {
			a = reply{id: n.id, err: -int32(err)}
		}
		unix.Syscall(unix.SYS_IOCTL, uintptr(r.fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&a)))
	}
}

func (r *Refuser) decide(n *notification) syscall.Errno {
	if !isOfFile(n) {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.armed {
		return 0
	}
	switch r.calls++; {
	case r.calls == r.at:
		r.err = r.pick(int(n.nr))
		r.refused = fmt.Sprintf("call %d, number %d: %v", r.calls, n.nr, r.err)
		return r.err
	case r.calls > r.at && r.calls < r.at+r.GoingOn && slices.Contains(fileCalls[int(n.nr)], r.err) && goesOn(n, r.err):
		return r.err
	}
	return 0
}

// goesOn reports whether what has failed once with an error fails again: what
// writes on a full disk, say.
func goesOn(n *notification, err syscall.Errno) bool {
	const writes = unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT
	switch err {
	case unix.ENOSPC, unix.EROFS:
		return n.nr != unix.SYS_OPENAT || n.args[2]&writes != 0
	case unix.ENOLCK, unix.EMFILE, unix.EFBIG, unix.ENOBUFS:
		return true
	}
	return false // of this file only
}

// isOfFile leaves out what the runtime does by calls of the same number.
func isOfFile(n *notification) bool {
	switch n.nr {
	case unix.SYS_WRITE, unix.SYS_READ, unix.SYS_FSTAT:
		// What has a position and a size is a file; by calls that are not asked for.
		fd := int(int32(n.args[0]))
		if _, err := unix.Seek(fd, 0, unix.SEEK_CUR); err != nil {
			return false
		}
		_, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
		return err == nil
	case unix.SYS_FCNTL:
		switch n.args[1] {
		case unix.F_OFD_SETLK, unix.F_OFD_SETLKW, unix.F_OFD_GETLK:
			return true
		}
		return false
	case unix.SYS_FLOCK:
		return n.args[1]&unix.LOCK_UN == 0
	}
	return true
}
