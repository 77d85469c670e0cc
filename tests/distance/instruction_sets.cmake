# Proves that instructions of AVX and later stay in the kernels written for them, so that a library built without any
# -march runs on every x86-64: run as cmake -D OBJDUMP=… -D NM=… -D LIBRARY=… -P instruction_sets.cmake.
#
# Two ways lead astray, and each has its check: another source that uses a wide register, and a function that a kernel
# source leaves in the library under a name other sources share, for the linker may then pick its copy for all of them.
if(NOT EXISTS "${OBJDUMP}" OR NOT EXISTS "${NM}")
  message("SKIPPED: objdump and nm are not installed")
  return()
endif()

set(kernel_members "^(avx2|avx512|avx512_vnni)\\.cpp")

execute_process(COMMAND sh -c "'${OBJDUMP}' -d --no-show-raw-insn '${LIBRARY}' |
    awk '/file format/ { member = $1 } /%[yz]mm/ { wide[member]++ } END { for (m in wide) print m, wide[m] }'"
  OUTPUT_VARIABLE wide RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE)
if(failed)
  message(FATAL_ERROR "objdump failed")
endif()
string(REPLACE "\n" ";" wide "${wide}")
foreach(line IN LISTS wide)
  if(NOT line MATCHES "${kernel_members}")
    message(SEND_ERROR "wide registers outside of the kernels: ${line}")
  endif()
endforeach()
foreach(member IN ITEMS avx2.cpp avx512.cpp avx512_vnni.cpp)
  if(NOT "${wide}" MATCHES "(^|;)${member}")
    message(SEND_ERROR "no wide register in ${member}: was it built without its flags?")
  endif()
endforeach()

# Names of what the kernel sources define: tagged by xsimd's architecture or the flags of the build, or the one entry that hands them out.
execute_process(COMMAND "${NM}" -AC --defined-only "${LIBRARY}" OUTPUT_VARIABLE names RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "nm failed")
endif()
string(REPLACE ";" "," names "${names}")
string(REPLACE "\n" ";" names "${names}")
set(checked 0)
foreach(line IN LISTS names)
  if(line MATCHES ":(avx2|avx512|avx512_vnni)\\.cpp[^:]*:[0-9a-f]* ([TWuV]) (.*)$")
    set(set "${CMAKE_MATCH_1}")
    set(name "${CMAKE_MATCH_3}")
    math(EXPR checked "${checked} + 1")
    if(NOT name MATCHES "xsimd::(fma3<xsimd::)?(avx2|avx512f)" AND NOT name MATCHES "BuildFlags<[1-9]"
       AND NOT name MATCHES "::Packed(Avx2|Avx512|Vnni)"
       AND NOT name MATCHES "::${set}_kernels\\(\\)$"
       AND NOT name MATCHES "^DW\\.ref\\.")
      message(SEND_ERROR "${set}.cpp gives the linker a name without an instruction set: ${name}")
    endif()
  endif()
endforeach()
if(checked LESS 8)
  message(SEND_ERROR "only ${checked} names of kernels found in ${LIBRARY}")
endif()
message("${checked} names checked; wide registers in: ${wide}")
