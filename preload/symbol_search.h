// SPDX-License-Identifier: Apache-2.0
// symbol_search.h - whether any loaded library defines a symbol, before dlsym() is asked for it.
//
// A dlsym() in vain leaves its message in libc, made with the program's malloc() and given back by
// the next dlsym(): a program whose free() itself looks a function up would never come out of that.
//
//   Where    preload/; while the library is set up, or where the loader is at work anyway.
//   Threads  no library may be unloaded meanwhile.
//   Memory   none.
//   Errors   a library without a hash table counts as one that may define anything.
#pragma once

namespace spyglass::hooks {

// By a library other than ours.
bool is_defined_elsewhere(const char* name);

// Who calls `name` calls ours. Requires: somebody defines it.
bool is_ours_first(const char* name);

// dlsym(RTLD_NEXT, name), null without a message where no library after ours has it.
void* find_next(const char* name);

}  // namespace spyglass::hooks
