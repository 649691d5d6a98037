# SPDX-License-Identifier: Apache-2.0
# spyglass_warnings: what every target of ours compiles with; spyglass_sanitizers: all but the
# objects of libspyglass.so, since a sanitized library in an unsanitized program does not load.

add_library(spyglass_warnings INTERFACE)
target_compile_options(spyglass_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast
                            -Wnon-virtual-dtor>
  $<$<BOOL:${SPYGLASS_WERROR}>:-Werror>)
target_include_directories(spyglass_warnings INTERFACE ${PROJECT_SOURCE_DIR})

add_library(spyglass_sanitizers INTERFACE)
if(SPYGLASS_SANITIZE)
  set(sanitizer_flags -fsanitize=${SPYGLASS_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  target_compile_options(spyglass_sanitizers INTERFACE ${sanitizer_flags})
  # A sanitizer's malloc in the executable itself stays in front of one that a test preloads.
  if(SPYGLASS_SANITIZE MATCHES address)
    list(APPEND sanitizer_flags -static-libasan)
  elseif(SPYGLASS_SANITIZE MATCHES thread)
    list(APPEND sanitizer_flags -static-libtsan)
  endif()
  target_link_options(spyglass_sanitizers INTERFACE ${sanitizer_flags})
endif()
if(SPYGLASS_FUZZ)
  set(fuzz_flags -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  target_compile_options(spyglass_sanitizers INTERFACE ${fuzz_flags})
  target_link_options(spyglass_sanitizers INTERFACE ${fuzz_flags})
endif()
