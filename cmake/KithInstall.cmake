# Install rules: the headers, the compiled unit, and how CMake and pkg-config find them. Nothing installed names the
# prefix, so the whole may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(kith_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/kith")
target_include_directories(kith_headers INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

install(DIRECTORY include/kith DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Two export sets, so that the headers can be had where the dependencies of the compiled unit cannot.
install(TARGETS kith_headers EXPORT kithHeaders)
install(EXPORT kithHeaders FILE kithHeadersTargets.cmake NAMESPACE kith:: DESTINATION ${kith_package_dir})
if(TARGET kith)
  install(TARGETS kith EXPORT kith
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(EXPORT kith FILE kithTargets.cmake NAMESPACE kith:: DESTINATION ${kith_package_dir})
endif()

configure_package_config_file(cmake/kithConfig.cmake.in kithConfig.cmake INSTALL_DESTINATION ${kith_package_dir})
write_basic_package_version_file(kithConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/kithConfig.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/kithConfigVersion.cmake"
  cmake/KithDependencies.cmake
  DESTINATION ${kith_package_dir})

if(TARGET kith)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    set(kith_pc_prefix "${CMAKE_INSTALL_PREFIX}")
  else()
    file(RELATIVE_PATH kith_pc_up "/top/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/top")
    string(REGEX REPLACE "/$" "" kith_pc_up "${kith_pc_up}")
    set(kith_pc_prefix "\${pcfiledir}/${kith_pc_up}")
  endif()
  configure_file(cmake/kith.pc.in kith.pc @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/kith.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()
