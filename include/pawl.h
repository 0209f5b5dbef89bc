/*
 * libpawl: a Matrix device's encryption state in a store that any number of
 * processes share. docs/c-library.md tells how it is used, docs/calls.txt lists the
 * calls with every field, and docs/errors.md what each error means.
 *
 * Everything may be called from any thread, and nothing in a signal handler. Nothing may be called in a process that
 * was forked off one which had loaded the library: there every function returns
 * PAWL_FORKED at once, until exec. The library cannot be unloaded. One Go runtime
 * fits in a process: load no other Go library beside it.
 *
 * The interface only grows: functions, numbers, calls and fields are added, and none
 * is changed or taken away while pawl_abi_version() returns PAWL_ABI_VERSION.
 */
#ifndef PAWL_H
#define PAWL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PAWL_ABI_VERSION 1

/*
 * What every function returns that can fail: PAWL_OK or the number of a code, below.
 * A number that a program does not know is a failure like any other: a newer library
 * has more of them.
 */
typedef int32_t pawl_code;

/*
 * The number of something open: a store, a machine, a stream or a token. It is below
 * 2^53, and 0 is none. One that is closed, made up or of another kind is
 * PAWL_HANDLE, and never a crash.
 */
typedef uint64_t pawl_handle;

/*
 * What the library gives out. It is JSON, of length bytes and without a zero behind
 * it, belongs to the caller, and is given back by pawl_free, which wipes it.
 */
typedef struct {
	uint8_t *data;
	size_t length;
} pawl_bytes;

/* No deadline. */
#define PAWL_FOREVER (-1)

/* The version of this interface that the library has. */
uint32_t pawl_abi_version(void);

/*
 * Wipes and frees what the library gave out, and makes it empty. NULL, and bytes that
 * are empty, are passed over. It may be called in a forked process.
 */
void pawl_free(pawl_bytes *bytes);

/*
 * Below, input is a pointer and a length; the pointer may be NULL where the length is
 * 0, and is PAWL_PARAMS elsewhere, as is a length of more than 1 GiB; the memory is the
 * caller's again when the function has returned. A deadline is in milliseconds from now,
 * PAWL_FOREVER, as any below 0, for none; token is 0, or one that pawl_cancel cancels the
 * call by. *out is always set, and must be given to pawl_free: it is the result, or the
 * error with its text.
 */

/*
 * Opens a store: params are JSON (call "open"), secret is the key of 32 bytes or the
 * passphrase. The result names the handle of the store.
 */
pawl_code pawl_open(const uint8_t *params, size_t params_length, const uint8_t *secret, size_t secret_length,
	int64_t deadline, pawl_handle token, pawl_bytes *out);

/*
 * Makes a call on a store or a machine. name ends with a zero; params are JSON, body
 * what goes beside them.
 */
pawl_code pawl_call(pawl_handle on, const char *name, const uint8_t *params, size_t params_length,
	const uint8_t *body, size_t body_length, int64_t deadline, pawl_handle token, pawl_bytes *out);

/* Begins a stream of a machine. The result names its handle. */
pawl_code pawl_stream(pawl_handle machine, const char *name, const uint8_t *params, size_t params_length,
	pawl_bytes *out);

/*
 * Waits for the next item of a stream. PAWL_END: it has no more. Whoever gives up
 * (PAWL_DEADLINE, PAWL_CANCELED) misses nothing, and with a deadline of 0 takes what
 * is there.
 */
pawl_code pawl_next(pawl_handle stream, int64_t deadline, pawl_handle token, pawl_bytes *out);

/*
 * Closes a store, with its machines and streams; a machine, with its streams; a stream;
 * or a token. Calls on what is closed meanwhile end with an error.
 */
pawl_code pawl_close(pawl_handle handle);

/* Makes a token. */
pawl_code pawl_token(pawl_handle *token);

/* Cancels all calls that are made with a token, those that are made later too. */
pawl_code pawl_cancel(pawl_handle token);

/*
 * Callbacks: all are called from one thread of the library's, one after the other, so
 * one that waits holds up all others. In a callback every function may be called; data
 * is there until it returns. A callback must return: no longjmp, no exception.
 */

/*
 * Called for each item of a stream that is watched: code is PAWL_OK and data the item;
 * or the stream has ended, code is PAWL_END or why, data the error, and it is not
 * called again.
 */
typedef void (*pawl_on_item)(void *user, pawl_handle stream, pawl_code code, const uint8_t *data, size_t length);

/*
 * Calls a callback for the items of a stream, in place of pawl_next, until it ends. To
 * stop it close the stream; the callback is then called a last time, with
 * PAWL_CANCELED or PAWL_END, and user may be freed after that.
 */
pawl_code pawl_watch(pawl_handle stream, pawl_on_item callback, void *user);

/* Levels of log lines. */
#define PAWL_LOG_DEBUG (-4)
#define PAWL_LOG_INFO 0
#define PAWL_LOG_WARN 4
#define PAWL_LOG_ERROR 8

/* Called with a line of the log: JSON, without names or secrets. */
typedef void (*pawl_on_log)(void *user, int32_t level, const uint8_t *data, size_t length);

/*
 * Calls a callback for lines of the log from a level on, NULL for none any more. It
 * returns when the callback that was set before will not be called again, unless it is
 * called in a callback. Where the callback is slow, lines are left out and counted.
 */
pawl_code pawl_log(pawl_on_log callback, void *user, int32_t level);

/*
 * The codes with their names, remedies and meanings, as JSON: for who has a number.
 */
pawl_code pawl_codes(pawl_bytes *out);

/* The names of the engines, and of all calls and streams, as JSON. */
pawl_code pawl_names(pawl_bytes *out);

/* Numbers of codes, each assigned once. */
#define PAWL_OK 0
#define PAWL_UNDECIDED 1
#define PAWL_NOT_ERASED 2
#define PAWL_UNKNOWN 3
#define PAWL_STARVED 4
#define PAWL_NO_SESSION 5
#define PAWL_NEWER 6
#define PAWL_KEYRING 7
#define PAWL_CORRUPT 8
#define PAWL_UNUSABLE 9
#define PAWL_FOREIGN 10
#define PAWL_UNSUPPORTED 11
#define PAWL_RETIRED 12
#define PAWL_NEEDS_RECOVERY 13
#define PAWL_UNWITNESSED 14
#define PAWL_NO_ACCOUNT 15
#define PAWL_ACCOUNT_EXISTS 16
#define PAWL_FORMAT1 17
#define PAWL_MOVED_ON 18
#define PAWL_NOT_EMPTY 19
#define PAWL_COPY_DIFFERS 20
#define PAWL_NOT_RETIRED 21
#define PAWL_NOTHING_TO_MOVE 22
#define PAWL_PASSPHRASE 23
#define PAWL_COST 24
#define PAWL_NO_KEY 25
#define PAWL_ROOM_KEY_FILE 26
#define PAWL_ROOM_KEY_FILE_CHANGED 27
#define PAWL_ROOM_KEY_FILE_USE 28
#define PAWL_USER_ID 29
#define PAWL_DEVICE_ID 30
#define PAWL_ROOM_ID 31
#define PAWL_EVENT_ID 32
#define PAWL_KEY_ID 33
#define PAWL_KEY 34
#define PAWL_JSON 35
#define PAWL_SIGNATURE 36
#define PAWL_UNSIGNED 37
#define PAWL_IDENTITY 38
#define PAWL_KEY_COUNT 39
#define PAWL_KEY_STAGE 40
#define PAWL_UNKNOWN_KEY_ID 41
#define PAWL_KEYS_FULL 42
#define PAWL_KEYS_EXHAUSTED 43
#define PAWL_IMPORT 44
#define PAWL_IMPORT_BEGUN 45
#define PAWL_PICKLE_KEY 46
#define PAWL_PICKLE_VERSION 47
#define PAWL_PICKLE_DAMAGED 48
#define PAWL_NO_REQUEST 49
#define PAWL_DEVICE_TAKEN 50
#define PAWL_ANSWER 51
#define PAWL_RESPONSE 52
#define PAWL_EVENT 53
#define PAWL_EVENT_SIZE 54
#define PAWL_NOT_OLM 55
#define PAWL_NOT_FOR_US 56
#define PAWL_OTHER_SENDER 57
#define PAWL_PAYLOAD 58
#define PAWL_UNENCRYPTED 59
#define PAWL_MESSAGE_TYPE 60
#define PAWL_VERSION 61
#define PAWL_MALFORMED 62
#define PAWL_SENDER_MISMATCH 63
#define PAWL_SELF 64
#define PAWL_ALREADY_PROCESSED 65
#define PAWL_UNKNOWN_ONE_TIME_KEY 66
#define PAWL_ONE_TIME_KEY_USED 67
#define PAWL_SESSION_PRUNED 68
#define PAWL_RATCHET_KEY 69
#define PAWL_UNTRIED 70
#define PAWL_UNKNOWN_SESSION 71
#define PAWL_KEY_GONE 72
#define PAWL_GAP 73
#define PAWL_UNKNOWN_CHAIN 74
#define PAWL_ZERO_SECRET 75
#define PAWL_EXHAUSTED 76
#define PAWL_MAC 77
#define PAWL_NOT_SHARED 78
#define PAWL_ROTATE 79
#define PAWL_SETTINGS 80
#define PAWL_NO_ROOM_KEY 81
#define PAWL_TOO_EARLY 82
#define PAWL_FORGOTTEN 83
#define PAWL_REPLAY 84
#define PAWL_OTHER_ROOM 85
#define PAWL_OTHER_USER 86
#define PAWL_CONTENT 87
#define PAWL_ALGORITHM 88
#define PAWL_SESSION_ID 89
#define PAWL_PLAIN 90
#define PAWL_NOT_REQUESTED 91
#define PAWL_NOBODY_TO_ASK 92
#define PAWL_UNSETTLED 93
#define PAWL_CONTRADICTS 94
#define PAWL_PROVENANCE 95
#define PAWL_EXTRA 96
#define PAWL_FORGET_ALL 97
#define PAWL_SET_ASIDE 98
#define PAWL_DISK_FULL 99
#define PAWL_TOO_LARGE 100
#define PAWL_IN_USE 101
#define PAWL_CLOSED 102
#define PAWL_INVALID 103
#define PAWL_UNAVAILABLE 104
#define PAWL_CANCELED 105
#define PAWL_DEADLINE 106
#define PAWL_OTHER 107
#define PAWL_SUPERSEDED 108
#define PAWL_DELETED 109
#define PAWL_HANDLE 1001
#define PAWL_PARAMS 1002
#define PAWL_NO_CALL 1003
#define PAWL_FORKED 1004
#define PAWL_END 1005
#define PAWL_FAILED 1006

#ifdef __cplusplus
}
#endif

#endif
