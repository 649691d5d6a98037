// SPDX-License-Identifier: Apache-2.0
// The functions on bytes and strings that libspyglass.so and its compiled code call, hidden: nobody
// else sees them, and we see nobody else's.
//
// Those of libc may not be libc's. A program built with a sanitizer defines its own, which must not
// be called before it has set itself up; we are there earlier. Nothing here is hot: copies of known
// size are inlined.
//
//   Where    libspyglass.so only, not in tests that link its objects; async-signal-safe.
#include <cstddef>

#define SPYGLASS_HIDDEN extern "C" __attribute__((visibility("hidden")))

SPYGLASS_HIDDEN void* memcpy(void* to, const void* from, std::size_t bytes) {
  void* at = to;
  asm volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(bytes) : : "memory");
  return to;
}

SPYGLASS_HIDDEN void* memmove(void* to, const void* from, std::size_t bytes) {
  auto* out = static_cast<unsigned char*>(to);
  const auto* in = static_cast<const unsigned char*>(from);
  if (reinterpret_cast<std::size_t>(out) - reinterpret_cast<std::size_t>(in) >= bytes) {
    return memcpy(to, from, bytes);
  }
  while (bytes-- != 0) {
    out[bytes] = in[bytes];
  }
  return to;
}

SPYGLASS_HIDDEN void* memset(void* to, int byte, std::size_t bytes) {
  void* at = to;
  asm volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(byte) : "memory");
  return to;
}

SPYGLASS_HIDDEN int memcmp(const void* one, const void* other, std::size_t bytes) {
  const auto* left = static_cast<const unsigned char*>(one);
  const auto* right = static_cast<const unsigned char*>(other);
  for (std::size_t i = 0; i < bytes; ++i) {
    if (left[i] != right[i]) {
      return left[i] - right[i];
    }
  }
  return 0;
}

SPYGLASS_HIDDEN void* memchr(const void* begin, int byte, std::size_t bytes) {
  const auto* at = static_cast<const unsigned char*>(begin);
  for (; bytes-- != 0; ++at) {
    if (*at == static_cast<unsigned char>(byte)) {
      return const_cast<unsigned char*>(at);
    }
  }
  return nullptr;
}

SPYGLASS_HIDDEN std::size_t strnlen(const char* text, std::size_t most) {
  std::size_t length = 0;
  while (length < most && text[length] != '\0') {
    ++length;
  }
  return length;
}

SPYGLASS_HIDDEN std::size_t strlen(const char* text) { return strnlen(text, ~std::size_t{0}); }
