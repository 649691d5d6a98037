// SPDX-License-Identifier: Apache-2.0
// The one use of libiberty. Its allocating entry points have no bound on their output: a few
// hundred bytes of substitutions can describe exabytes of text. The callback entry points allocate
// nothing, so that leaving them by longjmp once the text is too long leaks nothing.
#include <libiberty/demangle.h>

#include <csetjmp>
#include <cstddef>
#include <string>
#include <utility>

#include "symbols/elf_symbols.h"

namespace spyglass {
namespace {

// Above the first, libiberty's own guard refuses whatever is nested in the name; parsing recurses
// with the length, so the second keeps it within a few MB of stack.
constexpr std::size_t kGuardedInputBytes = 1000;
constexpr std::size_t kMaxInputBytes = 8U << 10U;
constexpr std::size_t kMaxOutputBytes = 64U << 10U;

struct BoundedText {
  std::string text;
  std::jmp_buf overflow;
};

extern "C" void append_bounded(const char* piece, std::size_t bytes, void* opaque) {
  auto* target = static_cast<BoundedText*>(opaque);
  if (bytes > kMaxOutputBytes - target->text.size()) {
    std::longjmp(target->overflow, 1);
  }
  target->text.append(piece, bytes);
}

using DemangleCallback = int (*)(const char*, int, demangle_callbackref, void*);

bool run(DemangleCallback function, const std::string& symbol, int options, BoundedText& out) {
  out.text.clear();
  out.text.reserve(kMaxOutputBytes > 4 * symbol.size() ? 4 * symbol.size() : kMaxOutputBytes);
  if (setjmp(out.overflow) != 0) {
    return false;
  }
  return function(symbol.c_str(), options, append_bounded, &out) != 0 && !out.text.empty();
}

}  // namespace

std::string demangle(const std::string& symbol) {
  const bool mangled =
      symbol.starts_with("_Z") || symbol.starts_with("_R") || symbol.starts_with("_GLOBAL_");
  if (!mangled || symbol.size() > kMaxInputBytes || symbol.find('\0') != std::string::npos) {
    return symbol;
  }
  int options = DMGL_PARAMS | DMGL_ANSI;
  if (symbol.size() > kGuardedInputBytes) {
    options |= DMGL_NO_RECURSE_LIMIT;
  }
  BoundedText out;
  // Rust first: its older mangling is also a valid C++ name, with a hash that nobody wants to read.
  if (run(rust_demangle_callback, symbol, options & ~DMGL_NO_RECURSE_LIMIT, out) ||
      run(cplus_demangle_v3_callback, symbol, options, out)) {
    return std::move(out.text);
  }
  return symbol;
}

}  // namespace spyglass
