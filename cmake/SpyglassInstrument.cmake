# SPDX-License-Identifier: Apache-2.0
# spyglass_instrument_target(<target> [EXCLUDE_FILES <part>...] [EXCLUDE_FUNCTIONS <part>...]
#                            [NO_DEFAULT_EXCLUDES] [NO_LINK])
#
# Compiles the target's C and C++ sources with function hooks and links it with libspyglass.so, so
# that it records under spyglass-run, or by itself when SPYGLASS_OUTPUT is set; otherwise a hook
# returns at once.
#
# EXCLUDE_FILES names files, EXCLUDE_FUNCTIONS functions, whose bodies get no hooks; any part of the
# path or of the (unmangled) name will do. System headers are excluded unless NO_DEFAULT_EXCLUDES is
# given. With NO_LINK the target has hooks but does not need libspyglass.so: then it records under
# spyglass-run only.
function(spyglass_instrument_target target)
  cmake_parse_arguments(PARSE_ARGV 1 arg
    "NO_DEFAULT_EXCLUDES;NO_LINK" "" "EXCLUDE_FILES;EXCLUDE_FUNCTIONS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "spyglass_instrument_target: unknown argument ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT TARGET ${target})
    message(FATAL_ERROR "spyglass_instrument_target: no target '${target}'")
  endif()

  set(files ${arg_EXCLUDE_FILES})
  if(NOT arg_NO_DEFAULT_EXCLUDES)
    list(APPEND files /usr/include/ /usr/lib/ /usr/local/include/)
  endif()
  string(REPLACE ";" "," files "${files}")
  string(REPLACE ";" "," functions "${arg_EXCLUDE_FUNCTIONS}")

  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:C,CXX>:-finstrument-functions>")
  # Only GCC has exclude lists. (Commas inside a generator expression's value are literal.)
  foreach(language C CXX)
    set(gcc "$<COMPILE_LANG_AND_ID:${language},GNU>")
    if(files)
      target_compile_options(${target} PRIVATE
        "$<${gcc}:-finstrument-functions-exclude-file-list=${files}>")
    endif()
    if(functions)
      target_compile_options(${target} PRIVATE
        "$<${gcc}:-finstrument-functions-exclude-function-list=${functions}>")
    endif()
    if(arg_EXCLUDE_FUNCTIONS OR arg_EXCLUDE_FILES)
      if(DEFINED CMAKE_${language}_COMPILER_ID AND NOT CMAKE_${language}_COMPILER_ID STREQUAL GNU)
        message(WARNING "spyglass_instrument_target: ${CMAKE_${language}_COMPILER_ID} cannot exclude "
                        "files or functions; use spyglass-run --exclude")
      endif()
    endif()
  endforeach()
  if(NOT arg_NO_LINK)
    target_link_libraries(${target} PRIVATE Spyglass::spyglass)
  endif()
endfunction()
