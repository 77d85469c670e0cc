# Finds what kith needs under the name each packager gave it, and calls it kith::dep_<name>.
#
# Used by kith's own build and installed beside kithConfig.cmake: a program that links the static library links LMDB and
# CRoaring too. Nothing is fetched and nothing stops here; the caller decides what a missing dependency means.

# kith_find_dependency(name): makes kith::dep_<name>, or appends a line to kith_missing in the caller's scope.
function(kith_find_dependency name)
  if(name STREQUAL "threads")
    set(THREADS_PREFER_PTHREAD_FLAG ON)
    find_package(Threads QUIET)
    set(found Threads::Threads)
  elseif(TARGET kith::dep_${name})
    return()
  elseif(name STREQUAL "lmdb")
    find_package(unofficial-lmdb CONFIG QUIET)  # vcpkg
    find_package(lmdb CONFIG QUIET)             # Conan
    set(found unofficial::lmdb::lmdb lmdb::lmdb)
    set(hint "LMDB (Debian: liblmdb-dev, Homebrew: lmdb, vcpkg: lmdb, Conan: lmdb)")
  elseif(name STREQUAL "roaring")
    find_package(roaring CONFIG QUIET)  # everywhere; without a version on Debian
    set(found roaring::roaring)
    set(hint "CRoaring (Debian: libroaring-dev, Homebrew: croaring, vcpkg: roaring, Conan: roaring)")
  elseif(name STREQUAL "xsimd")
    find_package(xsimd CONFIG QUIET)
    set(found xsimd xsimd::xsimd)
    set(hint "xsimd (Debian: libxsimd-dev, Homebrew: xsimd, vcpkg: xsimd, Conan: xsimd)")
  endif()

  foreach(candidate IN LISTS found)
    if(TARGET ${candidate})
      set(target ${candidate})
      break()
    endif()
  endforeach()
  if(name STREQUAL "threads")
    if(NOT target)
      set(kith_missing ${kith_missing} "a thread library" PARENT_SCOPE)
    endif()
    return()
  endif()

  if(NOT target)  # Debian's LMDB, and systems that ship only pkg-config files
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND)
      pkg_check_modules(KITH_DEP_${name} QUIET IMPORTED_TARGET GLOBAL ${name})
      if(KITH_DEP_${name}_FOUND)
        set(target PkgConfig::KITH_DEP_${name})
      endif()
    endif()
  endif()
  if(NOT target)
    set(kith_missing ${kith_missing} "${hint}" PARENT_SCOPE)
    return()
  endif()

  add_library(kith::dep_${name} INTERFACE IMPORTED GLOBAL)
  if(name STREQUAL "xsimd")
    # The directory only: Debian's target also links xtl, a package it does not install.
    get_target_property(directories ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(directories)
      set_target_properties(kith::dep_xsimd PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${directories}")
    endif()
  else()
    set_target_properties(kith::dep_${name} PROPERTIES INTERFACE_LINK_LIBRARIES ${target})
  endif()
endfunction()

# kith_require_dependencies(): stops the build with everything that is missing, at once.
function(kith_require_dependencies)
  if(kith_missing)
    list(JOIN kith_missing "\n  " lines)
    message(FATAL_ERROR "kith needs, and did not find:\n  ${lines}\n"
      "Install them, or set KITH_HEADERS_ONLY=ON for collections in memory without any dependency.")
  endif()
endfunction()
