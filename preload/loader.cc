// SPDX-License-Identifier: Apache-2.0
// Unloading: afterwards another library may stand at the same addresses. When dlclose returns, a
// library may already be there that another thread loaded meanwhile; the end of the library's own
// destructors is the last moment at which its place is certain to be its own.
//
// dlopen asks who calls it: names without a slash are looked for in the caller's RUNPATH, $ORIGIN
// is the caller's folder, and what it loads inherits the caller's RPATH. A wrapper would be the
// caller. So dlopen is measured only where the answer cannot matter, and is otherwise passed on by
// a jump that leaves the return address as it is.
#include <elf.h>
#include <link.h>

#include <cstring>

#include "preload/hook.h"
#include "preload/operation_call.h"
#include "recorder/runtime/modules.h"

namespace spyglass::hooks {
namespace {

bool has_rpath(const dl_phdr_info& module) {
  for (unsigned i = 0; i < module.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = module.dlpi_phdr[i];
    if (segment.p_type != PT_DYNAMIC) {
      continue;
    }
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(module.dlpi_addr + segment.p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag == DT_RPATH) {
        return true;
      }
    }
  }
  return false;
}

// The executable's own RPATH, the first module's, holds for every caller.
int look_for_rpath(dl_phdr_info* module, std::size_t /*bytes*/, void* index) {
  auto* seen = static_cast<unsigned*>(index);
  return (*seen)++ != 0 && has_rpath(*module) ? 1 : 0;
}

bool is_same_for_any_caller(const char* path) {
  bool has_slash = false;
  for (const char* c = path; *c != 0; ++c) {
    has_slash = has_slash || *c == '/';
    if (*c == '$') {
      return false;
    }
  }
  unsigned seen = 0;
  return has_slash && dl_iterate_phdr(look_for_rpath, &seen) == 0;
}

__thread std::uint32_t t_dlcloses;  // under way in this thread

void* measured_dlopen(const char* path, int mode) {
  const StackPoint caller = runtime::caller_point();
  return record_call<Operation::k_dlopen>(
      caller,
      [&] {
        return runtime::find_object(format::ObjectKind::kModule, 0, path,
                                    static_cast<std::uint32_t>(std::strlen(path)), caller.pc - 1);
      },
      [&] { return real::dlopen(path, mode); },
      [](const void* handle) -> OperationResult {
        return {0, handle == nullptr};
      });
}

}  // namespace
}  // namespace spyglass::hooks

extern "C" {

using DlopenFunction = void*(const char* path, int mode);

[[gnu::used, gnu::visibility("hidden")]] DlopenFunction* spyglass_choose_dlopen(const char* path) {
  namespace real = spyglass::real;
  real::make_ready();
  if (path == nullptr || !spyglass::runtime::records(spyglass::format::OperationClass::kLoader) ||
      !spyglass::hooks::is_same_for_any_caller(path)) {
    return real::dlopen;
  }
  return spyglass::hooks::measured_dlopen;
}

asm(R"(
  .text
  .globl dlopen
  .type dlopen, @function
dlopen:
  .cfi_startproc
  pushq %rdi
  .cfi_adjust_cfa_offset 8
  pushq %rsi
  .cfi_adjust_cfa_offset 8
  subq $8, %rsp
  .cfi_adjust_cfa_offset 8
  call spyglass_choose_dlopen
  addq $8, %rsp
  .cfi_adjust_cfa_offset -8
  popq %rsi
  .cfi_adjust_cfa_offset -8
  popq %rdi
  .cfi_adjust_cfa_offset -8
  jmp *%rax
  .cfi_endproc
  .size dlopen, . - dlopen
)");

int hook_dlclose(void* handle) {
  spyglass::real::make_ready();
  spyglass::hooks::t_dlcloses += 1;
  const int result = spyglass::real::dlclose(handle);
  spyglass::hooks::t_dlcloses -= 1;
  spyglass::runtime::note_unloads();
  return result;
}

// Each library calls this as the last of its destructors, with an address of its own. Outside of
// dlclose it is the end of the process that calls for all, where nothing goes and each look at all
// modules and nodes would cost much; or libc unloads a module of its own.
void hook___cxa_finalize(void* library) {
  spyglass::real::make_ready();
  spyglass::real::__cxa_finalize(library);
  if (library == nullptr) {
    return;
  }
  if (spyglass::hooks::t_dlcloses != 0) {
    spyglass::runtime::note_unload_at(reinterpret_cast<std::uint64_t>(library));
  } else {
    spyglass::runtime::expect_unload();
  }
}

}  // extern "C"
