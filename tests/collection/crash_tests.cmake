# What crash_program is put through: a short run in the default set, and the whole under the label `slow`.

# kith_add_crash_test(name script arguments... [SLOW arguments...])
function(kith_add_crash_test name script)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "SLOW")
  set(command Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/${script}" $<TARGET_FILE:crash_program>)
  add_test(NAME collection.${name} COMMAND ${command} ${arg_UNPARSED_ARGUMENTS})
  set_tests_properties(collection.${name} PROPERTIES LABELS collection TIMEOUT 300)
  if(arg_SLOW)
    add_test(NAME collection.${name}.slow COMMAND ${command} ${arg_SLOW})
    set_tests_properties(collection.${name}.slow PROPERTIES LABELS "collection;slow" TIMEOUT 3600)
  endif()
endfunction()

kith_add_crash_test(kill_loop kill_loop.py --kills 60 SLOW --kills 2000)
kith_add_crash_test(kill_loop.unsynced kill_loop.py --level on_checkpoint --kills 20
  SLOW --level on_checkpoint --kills 500 --seed 2)
kith_add_crash_test(kill_builds kill_loop.py --builds 6 SLOW --builds 60)
kith_add_crash_test(writers_and_merges kill_loop.py --runs 10 SLOW --runs 500 --seed 100)
kith_add_crash_test(signals kill_loop.py --signals 12 SLOW --signals 200)

# The libraries stand between the program and the C library by LD_PRELOAD, as Linux has it.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  set(pch_extension "${CMAKE_PCH_EXTENSION}")  # C may have another compiler, whose own extension is not wanted
  enable_language(C)
  set(CMAKE_PCH_EXTENSION "${pch_extension}")
  foreach(library IN ITEMS power_recorder call_faults)
    add_library(${library} MODULE ../support/${library}.c)
    target_link_libraries(${library} PRIVATE ${CMAKE_DL_LIBS})
    target_compile_options(${library} PRIVATE -Wall -Wextra)
  endforeach()

  set(record $<TARGET_FILE:power_recorder>)
  foreach(level IN ITEMS each_commit interval on_checkpoint)
    kith_add_crash_test(power_cut.${level} power_cut.py ${record} --level ${level} --points 150
      SLOW ${record} --level ${level} --points 1000 --steps 150 --seed 2)
  endforeach()
  kith_add_crash_test(power_cut.creation power_cut.py ${record} --steps 2 --phase creating --points 150
    SLOW ${record} --steps 2 --phase creating --points 1000 --seed 2)
  kith_add_crash_test(power_cut.compaction power_cut.py ${record} --load 9000 --steps 8 --phase exchanging --points 60
    SLOW ${record} --load 9000 --steps 8 --phase exchanging --points 1000 --seed 2)
  kith_add_crash_test(power_cut.recovery power_cut.py ${record} --recoveries 10 --points 10
    SLOW ${record} --recoveries 10 --points 200 --seed 2)
  kith_add_crash_test(power_cut.notices_missing_syncs power_cut.py ${record} --self-test --points 60
    SLOW ${record} --self-test --points 400 --seed 2)

  set(faults $<TARGET_FILE:call_faults>)
  kith_add_crash_test(kill_sweep kill_sweep.py ${faults} --most 12 SLOW ${faults} --most 0)
  kith_add_crash_test(kill_sweep.recovery kill_sweep.py ${faults} --most 2 --recoveries 10
    SLOW ${faults} --most 30 --recoveries 10 --seed 2)
  kith_add_crash_test(fault_sweep fault_sweep.py ${faults} --most 4 SLOW ${faults} --most 0)
  kith_add_crash_test(fault_sweep.unsynced fault_sweep.py ${faults} --level interval --most 2
    SLOW ${faults} --level interval --most 60 --seed 2)
endif()
