# SPDX-License-Identifier: Apache-2.0
# Fetches the SQLite amalgamation that the npm package better-sqlite3 carries into DIRECTORY.
# usage: cmake -DDIRECTORY=<dir> -P fetch_sqlite.cmake
file(MAKE_DIRECTORY "${DIRECTORY}")
find_program(NPM npm REQUIRED)
execute_process(COMMAND ${NPM} pack --silent better-sqlite3@12
                WORKING_DIRECTORY "${DIRECTORY}" OUTPUT_QUIET RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "npm pack better-sqlite3 failed: the SQLite programs need the network once")
endif()
file(GLOB package "${DIRECTORY}/better-sqlite3-*.tgz")
list(GET package -1 package)
file(ARCHIVE_EXTRACT INPUT "${package}" DESTINATION "${DIRECTORY}" PATTERNS "*/deps/sqlite3/*")
file(GLOB sources "${DIRECTORY}/package/deps/sqlite3/*")
file(COPY ${sources} DESTINATION "${DIRECTORY}")
