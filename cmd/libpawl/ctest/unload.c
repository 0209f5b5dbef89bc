// Loads the library, and closes it: it must stay where it is, with what is open of it,
// since Go's threads go on. Argument: the library.

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "pawl.h"

int main(int argc, char **argv) {
	if (argc != 2) return 2;
	void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	if (library == NULL) return printf("%s\n", dlerror()), 1;
	pawl_code (*token)(pawl_handle *) = (pawl_code (*)(pawl_handle *))dlsym(library, "pawl_token");
	pawl_code (*close)(pawl_handle) = (pawl_code (*)(pawl_handle))dlsym(library, "pawl_close");
	pawl_handle before, after;
	if (token == NULL || close == NULL || token(&before) != PAWL_OK) return printf("it is not loaded\n"), 1;
	if (dlclose(library) != 0) return printf("%s\n", dlerror()), 1;
	if (dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) != library) return printf("it was unloaded\n"), 1;
	if (token(&after) != PAWL_OK || after == before || close(before) != PAWL_OK) return printf("what was open is gone\n"), 1;
	printf("ok\n");
	return 0;
}
