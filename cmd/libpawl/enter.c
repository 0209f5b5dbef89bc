//go:build cgo

// The functions of include/pawl.h. Each compares the process id before it enters Go: of
// a process that was forked off, only the thread that forked goes on, so that Go would
// wait for threads that are not there, for ever.

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enter.h"
#include "_cgo_export.h"

static pid_t loaded;
static volatile sig_atomic_t child;

static void in_child(void) { child = 1; }

__attribute__((constructor)) static void remember(void) {
	loaded = getpid();
	pthread_atfork(NULL, NULL, in_child);
}

// The number alone would not do: one that has ended is given to another process, and in
// a namespace of its own the child can have its parent's. A fork that is none of libc's
// has only the number.
static int forked(void) { return child || getpid() != loaded; }

// refused is what a forked process gets. Nothing of Go may run, so that the text is here.
static pawl_code refused(pawl_bytes *out) {
	static const char text[] =
		"{\"v\":1,\"code\":\"forked\",\"number\":1004,\"remedy\":\"none\",\"message\":"
		"\"the library cannot be used in a process that was forked off another one: start a program\"}";
	if (out == NULL) return PAWL_FORKED;
	out->length = 0;
	out->data = malloc(sizeof text - 1);
	if (out->data != NULL) {
		memcpy(out->data, text, sizeof text - 1);
		out->length = sizeof text - 1;
	}
	return PAWL_FORKED;
}

// wipe is not left out by the compiler, though nobody reads what it wrote.
static void wipe(uint8_t *data, size_t length) {
	volatile uint8_t *v = data;
	while (length-- > 0) *v++ = 0;
}

uint32_t pawl_abi_version(void) { return PAWL_ABI_VERSION; }

void pawl_free(pawl_bytes *bytes) {
	if (bytes == NULL || bytes->data == NULL) return;
	wipe(bytes->data, bytes->length);
	free(bytes->data);
	bytes->data = NULL;
	bytes->length = 0;
}

// nowhere is said without a place for the answer: nothing is done.
#define NOWHERE(out) do { if ((out) == NULL) return PAWL_PARAMS; (out)->data = NULL; (out)->length = 0; } while (0)

pawl_code pawl_open(const uint8_t *params, size_t params_length, const uint8_t *secret, size_t secret_length,
	int64_t deadline, pawl_handle token, pawl_bytes *out) {
	NOWHERE(out);
	if (forked()) return refused(out);
	return goPawlOpen((uint8_t *)params, params_length, (uint8_t *)secret, secret_length, deadline, token, out);
}

pawl_code pawl_call(pawl_handle on, const char *name, const uint8_t *params, size_t params_length,
	const uint8_t *body, size_t body_length, int64_t deadline, pawl_handle token, pawl_bytes *out) {
	NOWHERE(out);
	if (forked()) return refused(out);
	return goPawlCall(on, (char *)name, (uint8_t *)params, params_length, (uint8_t *)body, body_length, deadline, token, out);
}

pawl_code pawl_stream(pawl_handle machine, const char *name, const uint8_t *params, size_t params_length,
	pawl_bytes *out) {
	NOWHERE(out);
	if (forked()) return refused(out);
	return goPawlStream(machine, (char *)name, (uint8_t *)params, params_length, out);
}

pawl_code pawl_next(pawl_handle stream, int64_t deadline, pawl_handle token, pawl_bytes *out) {
	NOWHERE(out);
	if (forked()) return refused(out);
	return goPawlNext(stream, deadline, token, out);
}

pawl_code pawl_close(pawl_handle handle) { return forked() ? PAWL_FORKED : goPawlClose(handle); }

pawl_code pawl_token(pawl_handle *token) {
	if (token == NULL) return PAWL_PARAMS;
	*token = 0;
	return forked() ? PAWL_FORKED : goPawlToken(token);
}

pawl_code pawl_cancel(pawl_handle token) { return forked() ? PAWL_FORKED : goPawlCancel(token); }

pawl_code pawl_watch(pawl_handle stream, pawl_on_item callback, void *user) {
	if (callback == NULL) return PAWL_PARAMS;
	return forked() ? PAWL_FORKED : goPawlWatch(stream, (uintptr_t)callback, (uintptr_t)user);
}

pawl_code pawl_log(pawl_on_log callback, void *user, int32_t level) {
	return forked() ? PAWL_FORKED : goPawlLog((uintptr_t)callback, (uintptr_t)user, level);
}

pawl_code pawl_codes(pawl_bytes *out) {
	NOWHERE(out);
	return forked() ? refused(out) : goPawlCodes(out);
}

pawl_code pawl_names(pawl_bytes *out) {
	NOWHERE(out);
	return forked() ? refused(out) : goPawlNames(out);
}

// Go cannot call a pointer to a function.
void libpawl_item(uintptr_t callback, uintptr_t user, pawl_handle stream, pawl_code code, const uint8_t *data, size_t length) {
	((pawl_on_item)callback)((void *)user, stream, code, data, length);
}

void libpawl_line(uintptr_t callback, uintptr_t user, int32_t level, const uint8_t *data, size_t length) {
	((pawl_on_log)callback)((void *)user, level, data, length);
}

// The thread that runs, as a number.
int64_t libpawl_thread(void) { return (int64_t)(intptr_t)pthread_self(); }
