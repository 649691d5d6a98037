# SPDX-License-Identifier: Apache-2.0
# Language level, output folders and the compiler cache: the same for every target.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_FLAGS_DEBUG "-Og -g")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g")

# bin/ and lib/spyglass/ are next to each other here as they are in an installed tree, so the tools
# find their library the same way in both.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(SPYGLASS_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/spyglass)


find_program(SPYGLASS_CCACHE ccache)
if(SPYGLASS_CCACHE)
  foreach(language C CXX)
    if(NOT CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER ${SPYGLASS_CCACHE})
    endif()
  endforeach()
endif()
