// SPDX-License-Identifier: Apache-2.0
// Copied many times by tests/end_to_end/module_copies.py, which writes the number of the copy over
// the digits in this function's name.
#include "program.h"

CALLED static void work_in_module_0000(void) { ++g_sink; }

void module_entry(void);
void module_entry(void) { work_in_module_0000(); }
