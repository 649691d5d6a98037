// SPDX-License-Identifier: Apache-2.0
// A plugin for dlopen.c, built twice with other names for the same code.
#include "program.h"

CALLED void PLUGIN_FUNCTION(int x);
CALLED void PLUGIN_FUNCTION(int x) { g_sink += (uint64_t)x; }

void plugin_entry(int calls);
void plugin_entry(int calls) {
  for (int i = 0; i < calls; ++i) PLUGIN_FUNCTION(i);
}
