# SPDX-License-Identifier: Apache-2.0
# The installed tree. Folder names are fixed, not the distribution's: the tools look for their
# library relative to themselves.
include(CMakePackageConfigHelpers)
include(SpyglassInstrument)

set(CMAKE_INSTALL_BINDIR bin)
set(package_dir lib/cmake/Spyglass)

foreach(tool spyglass spyglass-run)
  if(TARGET ${tool})
    install(TARGETS ${tool} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()
if(TARGET spyglass_preload)
  install(TARGETS spyglass_preload EXPORT SpyglassTargets LIBRARY DESTINATION lib/spyglass)
  install(EXPORT SpyglassTargets NAMESPACE Spyglass:: DESTINATION ${package_dir})
endif()

configure_package_config_file(cmake/SpyglassConfig.cmake.in
  ${CMAKE_BINARY_DIR}/package/SpyglassConfig.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_BINDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/SpyglassConfigVersion.cmake
  COMPATIBILITY SameMajorVersion)
configure_file(cmake/spyglass.pc.in ${CMAKE_BINARY_DIR}/package/spyglass.pc @ONLY)
install(FILES
  ${CMAKE_BINARY_DIR}/package/SpyglassConfig.cmake
  ${CMAKE_BINARY_DIR}/package/SpyglassConfigVersion.cmake
  cmake/SpyglassInstrument.cmake
  DESTINATION ${package_dir})
install(FILES ${CMAKE_BINARY_DIR}/package/spyglass.pc DESTINATION lib/pkgconfig)
install(FILES LICENSE DESTINATION share/doc/spyglass)
foreach(document README.md CHANGELOG.md docs/format.md docs/json.md)
  if(EXISTS ${PROJECT_SOURCE_DIR}/${document})
    install(FILES ${document} DESTINATION share/doc/spyglass)
  endif()
endforeach()

# Manual pages, where scdoc is there to make them.
find_program(SPYGLASS_SCDOC scdoc)
file(GLOB manual_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.scd)
if(SPYGLASS_SCDOC AND manual_sources)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/man)
  foreach(source ${manual_sources})
    get_filename_component(page ${source} NAME_WLE)
    add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/man/${page}
      COMMAND ${SPYGLASS_SCDOC} < ${source} > ${CMAKE_BINARY_DIR}/man/${page}
      DEPENDS ${source} VERBATIM)
    list(APPEND manual_pages ${CMAKE_BINARY_DIR}/man/${page})
  endforeach()
  add_custom_target(manual_pages ALL DEPENDS ${manual_pages})
  install(FILES ${manual_pages} DESTINATION share/man/man1)
endif()
