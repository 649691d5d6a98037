# SPDX-License-Identifier: Apache-2.0
# Third-party libraries, all from Debian 12 packages (`./dev setup` installs them).
# Each becomes one target, so that a folder names what it uses in its PRIVATE links.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(libdw REQUIRED IMPORTED_TARGET libdw)
pkg_check_modules(libelf REQUIRED IMPORTED_TARGET libelf)
pkg_check_modules(libzstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(liblz4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(libxxhash REQUIRED IMPORTED_TARGET libxxhash)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
if(SPYGLASS_TESTS)
  find_package(Catch2 2 REQUIRED)
endif()

# Header-only or without a description of their own: only their presence is checked.
find_path(SPYGLASS_PROTOZERO_INCLUDE protozero/pbf_reader.hpp REQUIRED)
find_path(SPYGLASS_RAPIDJSON_INCLUDE rapidjson/document.h REQUIRED)
find_path(SPYGLASS_LIBIBERTY_INCLUDE libiberty/demangle.h REQUIRED)
find_library(SPYGLASS_LIBIBERTY_LIBRARY iberty REQUIRED)

# Only what unwinds from outside: libunwind itself would take the place of libgcc's _Unwind_*.
find_path(SPYGLASS_LIBUNWIND_INCLUDE libunwind.h REQUIRED)
find_library(SPYGLASS_LIBUNWIND_LIBRARY unwind-generic REQUIRED)

add_library(spyglass_unwind_generic INTERFACE)
target_link_libraries(spyglass_unwind_generic INTERFACE ${SPYGLASS_LIBUNWIND_LIBRARY})
add_library(spyglass_iberty INTERFACE)
target_link_libraries(spyglass_iberty INTERFACE ${SPYGLASS_LIBIBERTY_LIBRARY})
