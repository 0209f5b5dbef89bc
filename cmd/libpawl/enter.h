// What C and Go of this folder know of each other, beside the header.

#include "../../include/pawl.h"

void libpawl_item(uintptr_t callback, uintptr_t user, pawl_handle stream, pawl_code code, const uint8_t *data, size_t length);
void libpawl_line(uintptr_t callback, uintptr_t user, int32_t level, const uint8_t *data, size_t length);
int64_t libpawl_thread(void);
