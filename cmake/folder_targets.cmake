# SPDX-License-Identifier: Apache-2.0
# One target per folder, made of the folder's *.cc files: a new file needs no edit of CMake files.

# spyglass_folder_sources(<variable>) - the .cc files of the current folder.
function(spyglass_folder_sources variable)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(${variable} ${sources} PARENT_SCOPE)
endfunction()

# spyglass_folder_library(<target> [LINKS <target>...]) - a static library linked PRIVATE to what it
# uses. A folder that holds headers only becomes an interface library.
function(spyglass_folder_library target)
  cmake_parse_arguments(PARSE_ARGV 1 folder "" "" "LINKS")
  spyglass_folder_sources(sources)
  if(NOT sources)
    add_library(${target} INTERFACE)
    return()
  endif()
  add_library(${target} STATIC ${sources})
  target_link_libraries(${target} PRIVATE ${folder_LINKS} spyglass_warnings spyglass_sanitizers)
endfunction()

# spyglass_runtime_folder(<target>) - objects for libspyglass.so, under the runtime rules.
function(spyglass_runtime_folder target)
  spyglass_folder_sources(sources)
  if(NOT sources)
    add_library(${target} INTERFACE)
    return()
  endif()
  add_library(${target} OBJECT ${sources})
  target_link_libraries(${target} PRIVATE spyglass_warnings spyglass_runtime_rules)
endfunction()
