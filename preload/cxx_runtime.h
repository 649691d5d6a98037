// SPDX-License-Identifier: Apache-2.0
// cxx_runtime.h - the C++ runtime library that a piece of code would have called without us.
//
// A program may have none when it starts and several later: a plugin in another language's
// interpreter brings libstdc++ with it, visible to itself only. So the runtime is looked up by who
// calls: what comes after us in the program's own scope, else what the caller's library sees.
//
//   Where    preload/.
//   Threads  any; found ones are remembered without a lock.
//   Errors   no runtime can be found: the caller cannot go on then.
#pragma once

#include <cstdint>

namespace spyglass::hooks {

struct CxxRuntime {
  void (*throw_object)(void* object, void* type, void (*destroy)(void*));
  void (*rethrow)();
  void* (*begin_catch)(void* header);
  void (*terminate)();                     // may be null, as may all below
  void (*rethrow_pointer)(void* pointer);  // libstdc++'s std::rethrow_exception
  const void* (*current_type)();           // of the exception caught last
  void* (*globals)();                      // of the thread; begins with the exception caught last
  const void* std_exception;               // its std::type_info
};

// False: there is none. May take the loader's lock, once for each library that calls.
bool find_runtime(std::uint64_t caller, CxxRuntime& runtime);

// Looks up what the program has from the start, while it has one thread.
void find_first_runtime();

// What the library that holds `caller` sees under `name`, other than ours; null: nothing. Likewise.
void* find_for(std::uint64_t caller, const char* name);

// Whether `pc` is in the runtime itself.
bool is_inside(const CxxRuntime& runtime, std::uint64_t pc);

// The object of the exception whose _Unwind_Exception is at `header`; null if it is foreign.
const void* object_at(const void* header);

// The same of the exception that the thread caught last.
const void* current_object(const CxxRuntime& runtime);

// Its std::type_info; null if it is foreign: of another language, or unwinding for
// pthread_cancel().
const void* current_type(const CxxRuntime& runtime);

// Of an exception that libstdc++ made: its std::type_info. Null if it is foreign.
const void* type_of_object(const void* object);

// As std::type_info::name().
const char* name_of_type(const void* type);

// what(), if the object is a std::exception; else null. Runs the program's code.
const char* what_of(const CxxRuntime& cxx, const void* type, const void* object);

}  // namespace spyglass::hooks
