# cmake -DKITH_SOURCE=... -DWORK=... -DCXX=... -DLAUNCHER=... -P run_port.cmake
#
# Runs ports/kith/portfile.cmake with stand-ins for the functions of vcpkg, checks what vcpkg's lint would check, and
# builds a program against the result.
cmake_minimum_required(VERSION 3.20)

set(PORT kith)
set(CURRENT_PACKAGES_DIR "${WORK}/port/package")
file(REMOVE_RECURSE "${WORK}/port")
file(MAKE_DIRECTORY "${WORK}/port")

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(result)
    message(FATAL_ERROR "${ARGV}\n${out}\nended with ${result}")
  endif()
endfunction()

function(vcpkg_cmake_configure)
  cmake_parse_arguments(arg "" "SOURCE_PATH" "OPTIONS" ${ARGN})
  run(${CMAKE_COMMAND} -S "${arg_SOURCE_PATH}" -B "${WORK}/port/build" -G Ninja -DCMAKE_CXX_COMPILER=${CXX}
    -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER} -DCMAKE_INSTALL_LIBDIR=lib
    -DCMAKE_INSTALL_PREFIX=${CURRENT_PACKAGES_DIR} ${arg_OPTIONS})
endfunction()

function(vcpkg_cmake_install)
  run(${CMAKE_COMMAND} --build "${WORK}/port/build" --target install)
endfunction()

# vcpkg keeps config files in share/<port>, one folder nearer to the prefix than where they were made for.
function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(arg "" "CONFIG_PATH" "" ${ARGN})
  set(share "${CURRENT_PACKAGES_DIR}/share/${PORT}")
  file(MAKE_DIRECTORY "${CURRENT_PACKAGES_DIR}/share")
  file(RENAME "${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH}" "${share}")
  file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/lib/cmake")
  file(GLOB files "${share}/*.cmake")
  foreach(file IN LISTS files)
    file(READ "${file}" text)
    string(REPLACE "\${CMAKE_CURRENT_LIST_DIR}/../../../\" ABSOLUTE" "\${CMAKE_CURRENT_LIST_DIR}/../../\" ABSOLUTE" text "${text}")
    # Each get_filename_component of _IMPORT_PREFIX climbs one folder; one climb less is wanted.
    set(climb "get_filename_component(_IMPORT_PREFIX \"\${_IMPORT_PREFIX}\" PATH)\n")
    string(REPLACE "${climb}${climb}${climb}" "${climb}${climb}" text "${text}")
    file(WRITE "${file}" "${text}")
  endforeach()
endfunction()

function(vcpkg_fixup_pkgconfig)
endfunction()

function(vcpkg_install_copyright)
  cmake_parse_arguments(arg "" "" "FILE_LIST" ${ARGN})
  configure_file("${arg_FILE_LIST}" "${CURRENT_PACKAGES_DIR}/share/${PORT}/copyright" COPYONLY)
endfunction()

# The portfile names files beside itself by CMAKE_CURRENT_LIST_DIR, which include() sets.
include("${KITH_SOURCE}/ports/kith/portfile.cmake")

foreach(file IN ITEMS share/kith/copyright share/kith/usage share/kith/kithConfig.cmake include/kith/kith.hpp lib/libkith.a)
  if(NOT EXISTS "${CURRENT_PACKAGES_DIR}/${file}")
    message(FATAL_ERROR "the port did not install ${file}")
  endif()
endforeach()
foreach(folder IN ITEMS debug/include debug/share share/doc)
  if(EXISTS "${CURRENT_PACKAGES_DIR}/${folder}")
    message(FATAL_ERROR "vcpkg refuses a port that installs ${folder}")
  endif()
endforeach()

run(${CMAKE_COMMAND} -S "${CMAKE_CURRENT_LIST_DIR}/package" -B "${WORK}/port/consumer" -G Ninja
  -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER} -Dkith_DIR=${CURRENT_PACKAGES_DIR}/share/kith)
run(${CMAKE_COMMAND} --build "${WORK}/port/consumer" --target consumer)
execute_process(COMMAND "${WORK}/port/consumer/consumer" WORKING_DIRECTORY "${WORK}/port" COMMAND_ERROR_IS_FATAL ANY)
