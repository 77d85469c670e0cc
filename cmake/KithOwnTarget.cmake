# What every target of kith's own is built with: warnings, sanitizers, the compiler cache. Properties of those targets
# only, so nothing here reaches a program that uses kith.
set(kith_warnings -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees overlaps and overruns in optimised std::string that are not there (its bug 105651); ASan looks instead.
  list(APPEND kith_warnings -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow)
endif()

if(kith_top_level AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(KITH_CCACHE ccache)
  mark_as_advanced(KITH_CCACHE)
endif()

# kith_own_target(target): for a library, test, benchmark or example of this project.
function(kith_own_target target)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    target_compile_options(${target} PRIVATE ${kith_warnings} $<$<BOOL:${KITH_WERROR}>:-Werror>)
  endif()
  if(KITH_SANITIZE)
    string(REPLACE ";" "," sanitizers "${KITH_SANITIZE}")
    set(flags -fsanitize=${sanitizers} -fno-sanitize-recover=all)
    # To look at a vtable it opens a pipe, and takes the object for broken where a test leaves no descriptors.
    if("undefined" IN_LIST KITH_SANITIZE)
      list(APPEND flags -fno-sanitize=vptr)
    endif()
    target_compile_options(${target} PRIVATE ${flags} -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE ${flags})
  endif()
  if(KITH_CCACHE)
    # A precompiled header is cached like any other when ccache may trust its macros and its modification time.
    set_target_properties(${target} PROPERTIES CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros;${KITH_CCACHE}")
  endif()
endfunction()
