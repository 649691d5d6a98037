// SPDX-License-Identifier: Apache-2.0
// Exceptions: thrown, thrown again, caught, and those that end the program.
//
// Compilers call these functions; so do libstdc++'s own throw helpers.
#include "preload/cxx_runtime.h"
#include "preload/hook.h"
#include "preload/real.h"
#include "recorder/runtime/allocations.h"
#include "recorder/runtime/exception_record.h"

namespace {

using spyglass::format::Operation;
using spyglass::format::OperationClass;
using spyglass::hooks::CxxRuntime;
using spyglass::runtime::caller_point;
using spyglass::runtime::StackPoint;
using spyglass::runtime::Thrown;

bool records_exceptions() { return spyglass::runtime::records(OperationClass::kException); }

CxxRuntime runtime_of(const StackPoint& caller) {
  spyglass::real::make_ready();
  spyglass::runtime::forget_allocator();
  CxxRuntime runtime;
  if (!spyglass::hooks::find_runtime(caller.pc - 1, runtime)) {
    __builtin_trap();  // nobody can throw without a runtime
  }
  return runtime;
}

const char* text_of(const Thrown& thrown) {
  CxxRuntime runtime;
  if (!spyglass::hooks::find_runtime(reinterpret_cast<std::uint64_t>(thrown.type), runtime)) {
    return nullptr;
  }
  return spyglass::hooks::what_of(runtime, thrown.type, thrown.object);
}

// These give the real function, for the hook to jump to: a frame of ours below it would cost the
// unwinder 0.5 us a throw.

[[gnu::noinline]] auto note_throw(StackPoint caller, const void* object, const void* type) {
  const CxxRuntime runtime = runtime_of(caller);
  if (records_exceptions()) {
    spyglass::runtime::record_throw(Operation::k___cxa_throw, caller, {object, type},
                                    spyglass::hooks::name_of_type(type));
  }
  return runtime.throw_object;
}

[[gnu::noinline]] auto note_rethrow(StackPoint caller) {
  const CxxRuntime runtime = runtime_of(caller);
  const void* type = spyglass::hooks::current_type(runtime);
  if (records_exceptions() && type != nullptr) {
    spyglass::runtime::record_throw(Operation::k___cxa_rethrow, caller,
                                    {spyglass::hooks::current_object(runtime), type},
                                    spyglass::hooks::name_of_type(type));
  }
  return runtime.rethrow;
}

[[gnu::noinline]] auto note_rethrow_of(StackPoint caller, const void* object) {
  const CxxRuntime runtime = runtime_of(caller);
  if (records_exceptions()) {
    const void* type = spyglass::hooks::type_of_object(object);
    spyglass::runtime::record_throw(Operation::k_std_rethrow_exception, caller, {object, type},
                                    spyglass::hooks::name_of_type(type));
  }
  return runtime.rethrow_pointer;
}

[[gnu::noinline]] auto note_catch(StackPoint caller, const void* header) {
  const CxxRuntime runtime = runtime_of(caller);
  if (spyglass::runtime::throws_pending()) {
    spyglass::runtime::record_catch(spyglass::hooks::object_at(header), caller,
                                    spyglass::hooks::is_inside(runtime, caller.pc - 1), text_of);
  }
  return runtime.begin_catch;
}

[[gnu::noinline]] auto note_termination(StackPoint caller) {
  const CxxRuntime runtime = runtime_of(caller);
  if (records_exceptions()) {
    spyglass::runtime::record_termination(caller, text_of);
  }
  return runtime.terminate;
}

}  // namespace

extern "C" {

void hook___cxa_throw(void* object, void* type, void (*destroy)(void*)) {
  return note_throw(caller_point(), object, type)(object, type, destroy);
}

void hook___cxa_rethrow() { return note_rethrow(caller_point())(); }

// std::rethrow_exception(std::exception_ptr): such an argument is passed by address.
void hook__ZSt17rethrow_exceptionNSt15__exception_ptr13exception_ptrE(void* pointer) {
  return note_rethrow_of(caller_point(), *static_cast<void**>(pointer))(pointer);
}

void* hook___cxa_begin_catch(void* header) { return note_catch(caller_point(), header)(header); }

// std::terminate()
void hook__ZSt9terminatev() { return note_termination(caller_point())(); }

}  // extern "C"

// Hidden versions, which the link editor passes over: a program that is linked with libspyglass.so
// and with a static C++ runtime takes these functions from the latter.
asm(".symver __cxa_throw, __cxa_throw@CXXABI_1.3, remove\n"
    ".symver __cxa_rethrow, __cxa_rethrow@CXXABI_1.3, remove\n"
    ".symver __cxa_begin_catch, __cxa_begin_catch@CXXABI_1.3, remove\n"
    ".symver _ZSt17rethrow_exceptionNSt15__exception_ptr13exception_ptrE, "
    "_ZSt17rethrow_exceptionNSt15__exception_ptr13exception_ptrE@CXXABI_1.3.3, remove\n"
    ".symver _ZSt9terminatev, _ZSt9terminatev@GLIBCXX_3.4, remove\n");
