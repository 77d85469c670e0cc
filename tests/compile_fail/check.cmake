# Compiles SOURCE with COMPILER twice: as it stands it must pass, with KITH_BAD it must fail and say each of
# SENTENCES, which | separates.
#
#   cmake -DCOMPILER=g++ -DINCLUDE=include -DSOURCE=case.cpp -DSENTENCES="write this|or that" -P check.cmake

set(command "${COMPILER}" -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Werror "-I${INCLUDE}" "${SOURCE}")

execute_process(COMMAND ${command} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "the good branch does not compile:\n${output}")
endif()

# In one language, whatever the user's.
execute_process(COMMAND "${CMAKE_COMMAND}" -E env LC_ALL=C ${command} -DKITH_BAD
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(result EQUAL 0)
  message(FATAL_ERROR "the bad branch compiles")
endif()
string(REPLACE "|" ";" SENTENCES "${SENTENCES}")
foreach(sentence IN LISTS SENTENCES)
  string(FIND "${output}" "${sentence}" place)
  if(place EQUAL -1)
    message(FATAL_ERROR "the compiler does not say \"${sentence}\":\n${output}")
  endif()
endforeach()
